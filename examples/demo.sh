#!/bin/sh
# The main job on the example scans: read a folder, look at what came out, compare it with the truth.
# Run it through `make demo`. One of the scans is broken on purpose, so `lettermill run` must end with 1.
set -eu
unset LETTERMILL_BROKER LETTERMILL_SCANS LETTERMILL_RESULTS

status=0
lettermill run examples/scans --out demo-results || status=$?
if [ "$status" -ne 1 ]; then
    echo "lettermill run ended with $status; 1 was expected (one page fails, the rest is read)" >&2
    exit 1
fi
job=$(ls -td demo-results/scans-*/ | head -n 1)
job=${job%/}

echo
echo "The one failure is meant: examples/scans/water-damage.png is a scan cut off in the middle. A bad page"
echo "becomes a row with its reason, and the rest is read; exit status 1 says that a page failed."
echo
echo "The first letters of $job/letters.csv:"
head -n 6 "$job/letters.csv"
echo
echo "Compared with examples/truth.csv:"
lettermill score "$job" --truth examples/truth.csv
echo
echo "Open $job/summary.html in a browser to see the report."
