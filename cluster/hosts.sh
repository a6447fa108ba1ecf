#!/usr/bin/env bash
# A Ray cluster on a plain list of hosts: hosts.sh [--dry-run] start|stop|status HOSTS
#
# HOSTS is a file with one host a line, as ssh knows it ([user@]name); the first one is the head. Lines that
# begin with # and empty ones are skipped. Doing anything twice is harmless, and no other Ray is touched.
#
# NEUROFLAME_SSH        what runs a command on a host: ssh (options may follow). It is given host and command.
# NEUROFLAME_PORT       port of the head: 6379
# NEUROFLAME_SETUP      what to run on each host first, such as "source /shared/venv/bin/activate"
# NEUROFLAME_RAY_ARGS   more arguments of each `ray start`, such as "--num-cpus 16"
# NEUROFLAME_STATE      where hosts keep process numbers and logs: .cache/neuroflame in the home directory
# RAY_AUTH_TOKEN_PATH   the token that nodes and driver share: ~/.ray/auth_token, made if it is missing
set -euo pipefail

usage() {
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

dry=
if [ "${1-}" = --dry-run ]; then
    dry=yes
    shift
fi
[ $# -eq 2 ] || usage
action=$1 list=$2
[ -r "$list" ] || { echo "hosts.sh: $list: cannot be read" >&2; exit 2; }
mapfile -t hosts < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$list")
[ ${#hosts[@]} -gt 0 ] || { echo "hosts.sh: $list: holds no host" >&2; exit 2; }

read -r -a shell <<<"${NEUROFLAME_SSH:-ssh}"
port=${NEUROFLAME_PORT:-6379}
setup=${NEUROFLAME_SETUP:-true}
more=${NEUROFLAME_RAY_ARGS:-}
token_file=${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}
head_name=${hosts[0]#*@}
address=$head_name:$port

# Run a command on a host; the token goes through standard input, where no list of processes shows it.
on() {
    local host=$1 command=$2
    if [ -n "$dry" ]; then
        printf '%s %s %q\n' "${shell[*]}" "$host" "$command"
        return
    fi
    "${shell[@]}" "$host" "$command" <<<"$(cat "$token_file" 2>/dev/null || true)"
}

# What a host needs to know of its process: `ray start --block` ends all that it has started when it is ended.
known_on() {
    cat <<EOF
state=${NEUROFLAME_STATE:-\$HOME/.cache/neuroflame}
pid=\$state/ray-$port-${1#*@}.pid
log=\${pid%.pid}.log
name=${1#*@}
mkdir -p "\$state"
alive() { [ -s "\$pid" ] && kill -0 "\$(cat "\$pid")" 2>/dev/null; }
EOF
}

start_on() {
    local host=$1 role=$2
    on "$host" "$(known_on "$host")
read -r RAY_AUTH_TOKEN
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token
if alive; then echo \"\$name: runs already\"; exit 0; fi
$setup
nohup setsid ray start $role --block --disable-usage-stats $more >\"\$log\" 2>&1 </dev/null &
echo \$! >\"\$pid\"
for _ in \$(seq 300); do
    if ! alive; then break; fi
    if grep -q 'Ray runtime started' \"\$log\"; then echo \"\$name: started\"; exit 0; fi
    sleep 0.2
done
echo \"\$name: Ray did not start:\" >&2
tail -n 3 \"\$log\" >&2
exit 1"
}

stop_on() {
    local host=$1
    on "$host" "$(known_on "$host")
if alive; then
    kill -TERM \"\$(cat \"\$pid\")\"
    for _ in \$(seq 150); do if alive; then sleep 0.2; fi; done
    if alive; then kill -KILL -- -\"\$(cat \"\$pid\")\"; fi
    echo \"\$name: stopped\"
else
    echo \"\$name: does not run\"
fi
rm -f \"\$pid\""
}

status_on() {
    on "$1" "$(known_on "$1")
if alive; then echo \"\$name: runs\"; else echo \"\$name: does not run\"; fi"
}

case $action in
start)
    if [ -z "$dry" ] && [ ! -s "$token_file" ]; then
        mkdir -p "$(dirname "$token_file")"
        (umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$token_file")
    fi
    start_on "${hosts[0]}" "--head --port $port"
    for host in "${hosts[@]:1}"; do start_on "$host" "--address $address"; done
    echo "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$token_file"
    echo "neuroflame-sweep run SWEEP --out DIR --address $address"
    ;;
stop)
    for ((i = ${#hosts[@]} - 1; i >= 0; i--)); do stop_on "${hosts[i]}"; done
    ;;
status)
    for host in "${hosts[@]}"; do status_on "$host"; done
    ;;
*) usage ;;
esac
