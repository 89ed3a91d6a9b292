package link

// MaxMessageBytes bounds one message of either side: a Hello with 50,000 tasks,
// or a task as large as a call of a scheduler may bring one.
const MaxMessageBytes = 64 << 20
