package task

import "time"

type edge struct {
	from State
	kind Kind
}

// arrow is where an event leads and what it causes on the way.
type arrow struct {
	to State
	do func(*Task, time.Time, Event) []Effect
}

// arrow finds where ev leads from the task's state.
func (t *Task) arrow(ev Event) (arrow, bool) {
	if told, ok := ev.(Told); ok && t.state == Given && Terminal(told.State) {
		return arrow{Done, (*Task).nothing}, true
	}
	a, ok := arrows[edge{t.state, ev.Kind()}]
	return a, ok
}

// arrows is the table: what is not listed is refused. Told leads from Given to
// Done where it tells an end.
var arrows = map[edge]arrow{
	{Staging, KindStart}:  {Starting, (*Task).start},
	{Staging, KindRefuse}: {Done, (*Task).refuse},
	{Staging, KindKill}:   {Done, (*Task).drop},

	{Starting, KindProgress}:     {Starting, (*Task).tell},
	{Starting, KindLaunched}:     {Running, (*Task).run},
	{Starting, KindLaunchFailed}: {Done, (*Task).failLaunch},
	{Starting, KindKill}:         {Aborting, (*Task).abort},

	{Aborting, KindLaunched}:     {Killing, (*Task).killLaunched},
	{Aborting, KindLaunchFailed}: {Done, (*Task).aborted},
	{Aborting, KindKill}:         {Aborting, (*Task).shorten},

	{Running, KindKill}:    {Killing, (*Task).kill},
	{Running, KindExpired}: {Killing, (*Task).expire},
	{Running, KindExited}:  {Done, (*Task).exit},
	{Running, KindNews}:    {Running, (*Task).tellNews},

	{Killing, KindKill}:      {Killing, (*Task).shorten},
	{Killing, KindGraceOver}: {Killing, (*Task).slay},
	{Killing, KindExited}:    {Done, (*Task).exitKilled},

	{Starting, KindLost}: {Done, (*Task).lose},
	{Aborting, KindLost}: {Done, (*Task).loseKilled},
	{Running, KindLost}:  {Done, (*Task).lose},
	{Killing, KindLost}:  {Done, (*Task).loseKilled},

	{Staging, KindQueue}: {Queued, (*Task).nothing},
	{Queued, KindGive}:   {Given, (*Task).nothing},
	{Queued, KindKill}:   {Done, (*Task).drop},
	{Queued, KindLost}:   {Done, (*Task).loseGiven},
	{Given, KindTold}:    {Given, (*Task).nothing},
	{Given, KindKill}:    {Given, (*Task).passKill},
	{Given, KindLost}:    {Done, (*Task).loseGiven},

	// A kill may cross the end of its task on the way here.
	{Done, KindKill}: {Done, (*Task).nothing},
}
