// Package spell finds what a misspelt word was meant to be.
package spell

// Closest returns the word of known that typed was most likely meant to be, ""
// if none is near: one slip is allowed for a short word, more for longer ones.
// Of several that are equally near, the first counts.
func Closest(typed string, known []string) string {
	best, slips := "", (len(typed)+2)/3
	for _, word := range known {
		if d := distance([]rune(typed), []rune(word)); d <= slips {
			best, slips = word, d-1
		}
	}
	return best
}

// distance counts the letters to insert, drop, change or swap with their
// neighbour that make b of a: the optimal string alignment distance.
func distance(a, b []rune) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range b {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
