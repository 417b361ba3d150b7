# What a login manager does (checklist T41): a session scope in a user's slice, abandoned by its maker, then ended.
. /payload/guest/lib.sh
scope session-c60.scope --slice=user-1000.slice -p SendSIGHUP=yes -p TasksMax=infinity
is 'control group' /user.slice/user-1000.slice/session-c60.scope "$(scope_path session-c60.scope)"
file_is user.slice/user-1000.slice/session-c60.scope pids.max max
ok manager_call AbandonScope s session-c60.scope
is 'sub state' abandoned "$(property session-c60.scope SubState)"
status 1 manager_call AbandonScope s nosuch60.scope
ok systemctl stop session-c60.scope
soon 'the session is unloaded' unit_gone session-c60.scope
end user-1000.slice user.slice
