# To be sourced: runs steps, and prints how long each took when the shell exits, also after a step that failed.
# With ON_FAILURE=continue the steps after a failed one run too; the exit code is 1 all the same.

steps=() seconds=() results=() started=$SECONDS

# step TITLE COMMAND…
step() {
    local result=passed
    printf '\n== %s (after %d s)\n' "$1" "$((SECONDS - started))"
    steps+=("$1") results+=(interrupted) began=$SECONDS
    "${@:2}" || result=failed
    seconds+=("$((SECONDS - began))") results[-1]=$result
    [ "$result" = passed ] || [ "${ON_FAILURE:-stop}" = continue ] || exit 1
}

# The table; exits with 1 unless all steps passed.
report() {
    local code=$? all=$((SECONDS - started)) index
    [ "${#seconds[@]}" -eq "${#steps[@]}" ] || seconds+=("$((SECONDS - began))")
    printf '\n%-48s %8s %6s\n' step minutes share
    for index in "${!steps[@]}"; do
        row "${steps[index]}" "${seconds[index]}" "$all" "${results[index]}"
    done
    row all "$all" "$all" passed
    case " ${results[*]} " in *' failed '* | *' interrupted '*) [ "$code" -ne 0 ] || code=1 ;; esac
    exit "$code"
}

row() {
    local result=
    [ "$4" = passed ] || result="  $4"
    awk -v step="$1" -v seconds="$2" -v all="$3" -v result="$result" \
        'BEGIN { printf "%-48s %8.1f %5.0f%%%s\n", step, seconds / 60, 100 * seconds / (all ? all : 1), result }'
}

trap report EXIT
