// Package fetch brings what a task's command names by URI into its sandbox
// before the task starts: http, https, ftp, local files, and through a Hadoop
// client what lies in hdfs or s3.
//
// A file lands at output_file, or at the base name of the URI's path. Archives
// are unpacked beside where they land, unless they are executable or extract is
// false; as in Mesos, an archive itself stays in the sandbox only if it did not
// come through the cache. A URI may end in "#sha256:<hex>" or "#sha512:<hex>":
// then it is fetched as that content or not at all.
//
// # Invariants
//
//  1. Everything in a sandbox is reached through an os.Root, and what is there is
//     replaced, never written into: no name, link or second archive leads out.
//     Links are made as an archive has them, since a task could make the same
//     ones itself; nothing is ever written through one that leads out.
//  2. Local files are opened with the rights of the task's user, and no others.
//  3. A file of the cache is never written again, and never removed while it is
//     used. It belongs to one user's one URI, is never refreshed, and does not
//     outlive the agent.
//  4. What a URI may hold of credentials (user, query, fragment) is in no error,
//     message or log.
//  5. Nothing half-written stands under its final name, and nothing temporary
//     is left when Fetch returns.
//
// Errors are errs.Invalid or errs.Unsupported for what can't be asked for,
// errs.NotFound for what is not there, errs.Unavailable for what may work later,
// errs.Corrupt for other content than was promised, and errs.Exhausted for more
// of it than is taken; the system's own, as of a full disk, have no class.
package fetch
