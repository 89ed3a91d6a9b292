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

// arrows is the table: what is not listed is refused.
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

	// A kill may cross the end of its task on the way here.
	{Done, KindKill}: {Done, (*Task).nothing},
}
