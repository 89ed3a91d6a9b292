package robust

// Goal: whatever an unfriendly client says to a running cluster gets the answer
// that it deserves, in words, and disturbs nobody. Method: one cluster for all;
// after each attack a framework that behaves runs a task on all that an agent
// has, so that nothing was lost by the attack.

import (
	"context"
	"strconv"
	"testing"

	v1 "mezzo/api/mesos/v1"
	"mezzo/resources"
	"mezzo/test/native"
)

const offered = "cpus:4;mem:2048;disk:1024;ports:[31000-31100]"

// everything is what each agent of the cluster has.
var everything = resources.MustParse(offered)

// cluster is attacked by the tests, one after the other.
type cluster struct {
	*native.Cluster
	good  *framework // wants no offers between attacks
	tasks int        // run by good
}

// hosts are the names of the cluster's agents.
var hosts = []string{"victim-0", "victim-1"}

func TestCluster(t *testing.T) {
	c := &cluster{Cluster: native.Start(t, "--agents=2", "--hostname=victim", "--allocation_interval=20ms")}
	until(t, "both agents are active", func() bool {
		var answer struct {
			Slaves []struct{ Active bool }
		}
		err := c.Get(t.Context(), "http://"+c.Master+"/slaves", &answer)
		return err == nil && len(answer.Slaves) == 2 && answer.Slaves[0].Active && answer.Slaves[1].Active
	})
	c.good = subscribe(t, c.Master, nil)
	c.good.rest()
	defer c.good.teardown(t)
	slow := dawdle(t, c)
	t.Run("transport", func(t *testing.T) { testTransport(t, c) })
	t.Run("connections", func(t *testing.T) { testConnections(t, c) })
	t.Run("accept", func(t *testing.T) { testAccept(t, c) })
	t.Run("tasks", func(t *testing.T) { testTasks(t, c) })
	t.Run("files", func(t *testing.T) { testFiles(t, c) })
	t.Run("dawdlers", slow.gone)
}

// works has the framework that behaves run a task, on all that the first agent
// has.
func (c *cluster) works(t *testing.T) {
	t.Helper()
	c.good.t = t
	c.tasks++
	id := "good-" + strconv.Itoa(c.tasks)
	c.good.wake()
	o := c.good.offer(hosts[0])
	c.good.accept([]*v1.Offer{o}, command(o, id, "exit 0", offered))
	if s := c.good.outcome(id); s.GetState() != v1.TaskState_TASK_FINISHED {
		t.Errorf("a task that does nothing wrong: %v", s)
	}
	c.good.rest()
}

// alive asks for something that needs the master's loop.
func alive(t *testing.T, c *native.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var state struct{ ID string }
	if err := c.Get(ctx, "http://"+c.Master+"/state", &state); err != nil || state.ID == "" {
		t.Errorf("the master does not answer: %v", err)
	}
}

func itoa(i int) string { return strconv.Itoa(i) }
