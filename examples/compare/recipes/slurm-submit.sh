#!/usr/bin/env bash
# Submits a comparison to Slurm: an array of TASKS tasks for each of the four stages, one
# after the other, and a last job that prints the tables.
#
#   COMPARE=/path/to/compare TASKS=8 ./slurm-submit.sh -task drawn-faces -out /shared/out
#
# The program and the folder of -out must be on a file system that all nodes see. The
# number of the last job is printed; its log has the tables and the digest.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export COMPARE=${COMPARE:-compare} STAGE

after=
for STAGE in 1 2 3 4; do
	after=$(sbatch --parsable --array="0-$((${TASKS:-8} - 1))" ${after:+--dependency=afterany:$after} "$here/slurm-share.sbatch" "$@")
done
sbatch --parsable --dependency="afterany:$after" --job-name=compare-tables --output=%x-%j.log "$here/slurm-share.sbatch" "$@"
