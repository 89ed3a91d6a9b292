#!/bin/sh
# Writes the Go code of every .proto file below this folder, the same bytes on
# every machine: protoc must be the version below (its number is in the output),
# the plugins are go.mod's tools.
set -eu
cd "$(dirname "$0")"

want=3.21.12
have=$(protoc --version 2>/dev/null) || have="none"
if [ "$have" != "libprotoc $want" ]; then
	echo "api/gen.sh: need protoc $want (Debian 12: apt-get install protobuf-compiler), have: $have" >&2
	exit 1
fi

go_plugin=$(go tool -n protoc-gen-go)
grpc_plugin=$(go tool -n protoc-gen-go-grpc)

find . -name '*.proto' | sed 's|^\./||' | LC_ALL=C sort | xargs protoc --proto_path=. \
	--plugin=protoc-gen-go="$go_plugin" --go_out=. --go_opt=paths=source_relative \
	--plugin=protoc-gen-go-grpc="$grpc_plugin" --go-grpc_out=. --go-grpc_opt=paths=source_relative

# What a removed .proto file left behind goes with it.
find . -name '*.pb.go' | while read -r code; do
	stem=${code%.pb.go}
	[ -f "${stem%_grpc}.proto" ] || rm "$code"
done
