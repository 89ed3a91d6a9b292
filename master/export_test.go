package master

// DeclaredMetrics names the metrics that are always served.
func DeclaredMetrics() []string {
	var names []string
	for _, d := range declared {
		names = append(names, d.name)
	}
	return names
}
