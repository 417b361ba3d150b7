# limit: 1000 s
# Replays what systemd 252 answered, and demands that most steps of each group agree (guest/vector-groups).
. /payload/guest/lib.sh
groups=/payload/guest/vector-groups
files=
for group in $(grep -v '^#' $groups | awk '{print $1}'); do
    case $group in
    random-*) files="$files /payload/vectors/$group.jsonl.gz" ;;
    *) files="$files /payload/vectors/curated-$group.jsonl" ;;
    esac
done
# The player wants to be in a cgroup that belongs to a unit.
systemd-run -q --scope --unit=player.scope python3 /payload/guest/player/replay.py \
    --report /results/vectors-report.jsonl $files >/results/vectors.txt 2>&1
tail -n 40 /results/vectors.txt
sed -n '/^group /,$p' /results/vectors.txt | sed 's/^/SHOW: /'
# Groups in the score, against the groups that were asked for: one without a score has not been replayed.
awk '
    FNR == NR { if ($1 !~ /^#/) want[$1] = $2; next }
    ($1 in want) && NF == 6 { if ($4 < want[$1]) bad = bad " " $1 " (" $4 " % of its steps, want " want[$1] ")"; seen[$1] = 1 }
    END {
        for (g in want) if (!(g in seen)) bad = bad " " g " (not replayed)"
        if (bad != "") { print "FAIL: too few steps agree:" bad; exit 1 }
    }' $groups /results/vectors.txt || exit 1
