#!/usr/bin/env bash
# Runs a command under a Slurm of its own on this host, which is gone afterwards: one
# node that takes 8 tasks at a time, whatever the number of cores.
#
#   ./slurm-once.sh sbatch --wait my-job.sh
#
# Needs root and, on Debian, the packages slurm-wlm and munge; no service of them has to
# run. It is for trying things out: a cluster has its own Slurm.
set -euo pipefail

if [ $# = 0 ]; then
	echo "usage: $0 command [arguments]" >&2
	exit 2
fi
for tool in munged slurmctld slurmd sbatch; do
	command -v "$tool" >/dev/null || {
		echo "$0: $tool is missing; on Debian: apt-get install slurm-wlm munge" >&2
		exit 1
	}
done
[ "$(id -u)" = 0 ] || {
	echo "$0: slurmd wants to be started by root" >&2
	exit 1
}

dir=$(mktemp -d)
host=$(hostname -s)
mkdir "$dir/state" "$dir/spool"
chmod 711 "$dir"

# munged tells the parts of Slurm who they talk to. Its key and its socket are our own.
# The file of its seed must be nobody else's to write.
head -c 1024 /dev/urandom >"$dir/munge.key"
chmod 400 "$dir/munge.key"

cat >"$dir/slurm.conf" <<-CONF
	ClusterName=once
	SlurmctldHost=$host(127.0.0.1)
	SlurmUser=root
	SlurmdUser=root
	SlurmctldPort=16817
	SlurmdPort=16818
	AuthType=auth/munge
	AuthInfo=socket=$dir/munge.socket
	CredType=cred/munge
	StateSaveLocation=$dir/state
	SlurmdSpoolDir=$dir/spool
	SlurmctldPidFile=$dir/slurmctld.pid
	SlurmdPidFile=$dir/slurmd.pid
	SlurmctldLogFile=$dir/slurmctld.log
	SlurmdLogFile=$dir/slurmd.log
	ProctrackType=proctrack/linuxproc
	TaskPlugin=task/none
	JobAcctGatherType=jobacct_gather/none
	AccountingStorageType=accounting_storage/none
	SelectType=select/cons_tres
	SelectTypeParameters=CR_Core
	SlurmdParameters=config_overrides
	SchedulerParameters=batch_sched_delay=1,sched_interval=2,defer
	MinJobAge=3600
	ReturnToService=2
	JobRequeue=1
	NodeName=$host NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
	PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$dir/slurm.conf

started=()
finish() {
	local code=$?
	trap - EXIT
	scancel --user="$(id -un)" >/dev/null 2>&1 || true
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	wait || true
	if [ "$code" != 0 ]; then
		tail -n 5 "$dir"/*.log >&2 || true
	fi
	rm -rf "$dir"
	exit "$code"
}
trap finish EXIT

munged --foreground --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" \
	--pid-file="$dir/munge.pid" --seed-file="$dir/munge.seed" >"$dir/munged.log" 2>&1 &
started+=($!)
slurmctld -D >/dev/null 2>&1 &
started+=($!)
slurmd -D >/dev/null 2>&1 &
started+=($!)

# The node is idle some seconds after its parts have found each other.
for _ in $(seq 120); do
	if [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; then
		"$@"
		exit
	fi
	sleep .5
done
echo "$0: the node did not become idle within a minute; sinfo says: $(sinfo 2>&1)" >&2
exit 1
