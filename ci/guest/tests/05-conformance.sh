# The kernel of this guest and the imagined one give the same answers to random operations, for half a minute.
# Another seed each day: what was seen to agree need not be seen again.
/payload/bin/cgarbiter-sim conformance --seed "$(date +%Y%m%d)" --minutes 0.5 --out /results
status=$?
echo "SHOW: $(tail -n 1 /results/05-conformance.log)"
exit $status
