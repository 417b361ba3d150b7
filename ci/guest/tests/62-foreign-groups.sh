# Groups that somebody else made in the same root are left alone: not adopted, not removed, not written to.
. /payload/guest/lib.sh
mkdir $CG/openrc.x62 $CG/openrc.x62/sub
sleep 1000 &
pid=$!
echo $pid >$CG/openrc.x62/sub/cgroup.procs
echo 40 >$CG/openrc.x62/cgroup.max.descendants
scope x62.scope --slice=x62.slice -p MemoryMax=30M -p CPUQuota=30%
ok systemctl daemon-reload
end x62.scope x62.slice
[ -d $CG/openrc.x62/sub ] || fail 'the foreign group was removed'
is 'its process' $pid "$(cat $CG/openrc.x62/sub/cgroup.procs)"
file_is openrc.x62 cgroup.max.descendants 40
is 'its children' 'sub' "$(cd $CG/openrc.x62 && echo */ | tr -d /)"
kill $pid
wait $pid
rmdir $CG/openrc.x62/sub $CG/openrc.x62
