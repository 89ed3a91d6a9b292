/* Each rank says who it is and what all ranks together are; the exit code is the
 * first argument. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	int rank, size, mine, sum = 0;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	mine = rank + 1;
	MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
	printf("rank %d of %d: sum %d, parent %s\n", rank, size, sum, getenv("MESOS_EXECUTOR_ID"));
	fflush(stdout);
	MPI_Finalize();
	return argc > 1 ? atoi(argv[1]) : 0;
}
