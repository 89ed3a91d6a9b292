package link

// LeaderTrailer is the key of the trailer in which a master that does not lead
// names the one that does, "host:port", when it refuses an Attach.
const LeaderTrailer = "mezzo-leader"
