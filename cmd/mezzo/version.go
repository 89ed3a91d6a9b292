package main

import (
	"google.golang.org/protobuf/proto"

	v1 "mezzo/api/mesos/v1"
)

// release is the version that is worked on.
const release = "0.1.0"

// mesosRelease is the Mesos whose API is spoken. Schedulers and tools read the
// version to learn what they may use (some parse it as three numbers), so this
// is what the API answers; mezzo's own stands in git_tag.
const mesosRelease = "1.11.0"

// Set by the linker: what git says of the source.
var (
	version = "unknown" // git describe
	commit  = "unknown"
)

func versionText() string { return release + " (" + version + ")" }

func versionInfo() *v1.VersionInfo {
	return &v1.VersionInfo{Version: proto.String(mesosRelease), GitSha: proto.String(commit), GitTag: proto.String("mezzo " + versionText())}
}
