# limit: 300 s
# 200 clients at once: every one gets its scope, runs, ends, and nothing is left (checklist T43).
. /payload/guest/lib.sh
rm -rf /tmp/many32
mkdir /tmp/many32
i=0
while [ $i -lt 200 ]; do
    (
        systemd-run -q --scope --slice=many32.slice sed -n s/^0:://p /proc/self/cgroup >/tmp/many32/$i 2>/tmp/many32/$i.err
        echo $? >/tmp/many32/$i.status
    ) &
    i=$((i + 1))
done
wait
is 'statuses' '0' "$(cat /tmp/many32/*.status | sort -u | tr '\n' ' ' | sed 's/ $//')"
is 'different scopes' 200 "$(cat /tmp/many32/*[0-9] | grep -c '^/many32.slice/run-r[0-9a-f]*\.scope$')"
is 'different scopes' 200 "$(cat /tmp/many32/*[0-9] | sort -u | wc -l)"
empty() { [ "$(find $CG/many32.slice -mindepth 1 -type d | wc -l)" = 0 ]; }
soon 'no cgroup is left' empty
none() { [ -z "$(systemctl list-units --all --type=scope --plain --no-legend 'run-r*')" ]; }
soon 'no unit is left' none
[ -z "$(find /run/systemd/transient -name 'run-r*' 2>/dev/null)" ] || fail 'records are left in /run/systemd/transient'
end many32.slice
rm -rf /tmp/many32
