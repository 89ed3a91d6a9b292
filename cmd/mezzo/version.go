package main

import (
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// release is the version that is worked on. Clients parse "x.y.z".
const release = "0.1.0"

// Set by the linker: what git says of the source.
var (
	version = "unknown" // git describe
	commit  = "unknown"
)

func versionText() string { return release + " (" + version + ")" }

func versionInfo() *v1.VersionInfo {
	return &v1.VersionInfo{Version: proto.String(release), GitSha: proto.String(commit), GitTag: proto.String(version)}
}
