package containerizer

import (
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// defaultPath is where programs are found if neither image nor Spec says.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// argv is the command line: the Spec's, or the image's with the Spec's words.
func argv(s *Spec, c *ocispec.ImageConfig) ([]string, error) {
	switch {
	case s.Shell:
		return []string{"/bin/sh", "-c", s.Value}, nil
	case s.Value != "" && len(s.Args) > 0:
		// Args[0] is only what the program would see itself called, which the OCI
		// runtime does not tell apart from the program.
		return append([]string{s.Value}, s.Args[1:]...), nil
	case s.Value != "":
		return []string{s.Value}, nil
	}
	words, rest := c.Entrypoint, c.Cmd
	if len(words) == 0 && len(rest) > 0 {
		words, rest = rest[:1], rest[1:]
	}
	if len(words) == 0 {
		return nil, invalid("no command is given, and image %s has neither ENTRYPOINT nor CMD", s.Image)
	}
	if len(s.Args) > 0 {
		rest = s.Args
	}
	args := append(append([]string(nil), words...), rest...)
	for _, a := range args {
		if strings.ContainsRune(a, 0) {
			return nil, invalid("image %s: command word %q has a NUL in it", s.Image, a)
		}
	}
	return args, nil
}

// environ is the environment: of one name, the Spec's value stands over the
// image's, and the image's over the default.
func environ(s *Spec, c *ocispec.ImageConfig, home string) []string {
	var env []string
	at := make(map[string]int)
	for _, list := range [][]string{{"PATH=" + defaultPath, "HOME=" + home}, c.Env, s.Env} {
		for _, kv := range list {
			key, _, ok := strings.Cut(kv, "=")
			if !ok || key == "" || strings.ContainsRune(kv, 0) {
				continue // of an image; a Spec's was checked
			}
			if i, again := at[key]; again {
				env[i] = kv
				continue
			}
			at[key] = len(env)
			env = append(env, kv)
		}
	}
	return env
}

// workingDir is where the process starts.
func workingDir(s *Spec, c *ocispec.ImageConfig) (string, error) {
	switch {
	case s.WorkingDir != "":
		return s.WorkingDir, nil
	case s.Image == "":
		return s.Sandbox, nil
	case c.WorkingDir == "":
		return SandboxPath, nil
	}
	return c.WorkingDir, checkWorkingDir(c.WorkingDir)
}
