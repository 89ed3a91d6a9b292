"""Prints address and id of the leading master as clients in Python find it: the
lowest of the children that begin as records do, read as JSON."""
import json
import sys

from kazoo.client import KazooClient

hosts, path = sys.argv[1:]
zk = KazooClient(hosts=hosts, read_only=True)
zk.start(timeout=30)
names = [n for n in zk.get_children(path) if n.startswith("json.info_")]
body, stat = zk.get(path + "/" + min(names))
info = json.loads(body.decode())
print("%s:%d %s %d" % (info["address"]["ip"], info["address"]["port"], info["id"], stat.ephemeralOwner != 0))
zk.stop()
