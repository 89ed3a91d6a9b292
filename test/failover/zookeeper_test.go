package failover

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mezzo/test/native"
)

const zooKeeperJar = "/usr/share/java/zookeeper.jar"

// startZooKeeper runs Debian's until the test ends, and returns its address.
func startZooKeeper(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(zooKeeperJar); err != nil {
		native.Skip(t, "Debian's package zookeeper is not installed: run test/deps.sh native")
	}
	dir, addr := t.TempDir(), addresses(t, 1)[0]
	_, port, _ := net.SplitHostPort(addr)
	conf := fmt.Sprintf("tickTime=500\ndataDir=%s/data\nclientPort=%s\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n4lw.commands.whitelist=srvr\n", dir, port)
	file := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", zooKeeperJar, "org.apache.zookeeper.server.ZooKeeperServerMain", file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	until(t, "ZooKeeper serves", func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(c, "srvr")
		b, _ := io.ReadAll(c)
		return strings.Contains(string(b), "Mode: ")
	})
	return addr
}
