# list-units by type, state and pattern; jobs; what is gone is not listed.
. /payload/guest/lib.sh
scope l21one.scope --slice=l21.slice
scope l21two.scope --slice=l21.slice
list() { systemctl list-units --plain --no-legend "$@" | awk '{print $1, $2, $3, $4}'; }
is 'by pattern' "l21.slice loaded active active
l21one.scope loaded active running
l21two.scope loaded active running" "$(list 'l21*' | sort)"
is 'by type' 'l21.slice loaded active active' "$(list --type=slice 'l21*')"
is 'by state' '' "$(list --state=failed 'l21*')"
is 'by sub state' "l21one.scope loaded active running
l21two.scope loaded active running" "$(list --state=running 'l21*' | sort)"
like 'without a pattern' '*l21one.scope loaded active running*' "$(list)"
like '-.slice is there' '*-.slice loaded active active*' "$(list --type=slice)"
is 'no jobs' 'No jobs running.' "$(systemctl list-jobs)"
end l21one.scope
is 'what is stopped is gone' '' "$(list --all l21one.scope)"
is 'the other one is not' 'l21two.scope loaded active running' "$(list --all l21two.scope)"
is 'is-enabled of a transient unit' transient "$(systemctl is-enabled l21two.scope)"
end l21two.scope l21.slice
