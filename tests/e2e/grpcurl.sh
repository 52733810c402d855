#!/usr/bin/env bash
# The main job seen from outside, with the real grpcurl, against a server that `make run` started:
# list, describe, issue, validate, refresh, replay, and a helpful error for each mistake.
#
#   tests/e2e/grpcurl.sh [STATE_DIR]           everything; STATE_DIR (./var) holds dev.json
#   tests/e2e/grpcurl.sh STATE_DIR leave FILE  open a session and leave its refresh token in FILE
#   tests/e2e/grpcurl.sh STATE_DIR resume FILE the refresh token in FILE still refreshes
#
# Needs bash, python3 and grpcurl (or GRPCURL=/path/to/it). Exits 1 if any check failed.
set -uo pipefail
umask 077

STATE_DIR=${1:-var}
GRPCURL=${GRPCURL:-grpcurl}
AUTH=authsvc.v1.AuthService
ADMIN=authsvc.v1.AdminService
failed=0

setting() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$STATE_DIR/dev.json" "$1"; }
TARGET=$(setting target) && API_KEY=$(setting api_key) && CREDENTIAL=$(setting credential) || exit 1
export CREDENTIAL # grpcurl reads it from here, so that it stands in no list of processes

# The last answer or error, as JSON, and grpcurl's exit code: 0, or 64 + the status code.
OUT='' CODE=0

grpcurl_() { "$GRPCURL" -plaintext -max-time 10 "$@" 2>&1; }

# call METHOD JSON [grpcurl options instead of the good credential]
call() {
    local method=$1 request=$2
    shift 2
    # shellcheck disable=SC2016 # grpcurl expands it, not the shell
    [ $# -gt 0 ] || set -- -expand-headers -H 'authorization: Bearer ${CREDENTIAL}'
    OUT=$(grpcurl_ -format-error -emit-defaults "$@" -d @ "$TARGET" "$method" <<<"$request")
    CODE=$?
}

# field a.0.b: that part of the last answer, or nothing
# field detail.Type.a.0.b: that part of the error detail google.rpc.Type
# grpcurl writes names as protos do or as JSON does, by what a server's descriptors say: both are found.
field() {
    python3 -c '
import json, sys
def plain(name): return name.replace("_", "").lower()
value, steps = json.loads(sys.stdin.read()), sys.argv[1].split(".")
if steps[0] == "detail":
    kind = "/google.rpc." + steps[1]
    value, steps = next(d for d in value["details"] if d["@type"].endswith(kind)), steps[2:]
for step in steps:
    value = value[int(step)] if step.isdigit() else {plain(k): v for k, v in value.items()}[plain(step)]
print(value)' "$1" <<<"$OUT" 2>/dev/null
}

is() { # is NAME ACTUAL EXPECTED
    if [ "$2" = "$3" ] && [ -n "$3" ]; then
        echo "ok    $1"
    else
        echo "FAIL  $1: expected '$3', found '$2'; last answer: $OUT"
        failed=1
    fi
}

has() { # has NAME TEXT PART
    if [[ "$2" == *"$3"* ]]; then is "$1" yes yes; else is "$1" "${2:0:300}" "…$3…"; fi
}

refused() { # refused NAME STATUS_NUMBER REASON: the last call failed with that status and that reason, also in words
    is "$1: status" "$((CODE - 64))" "$2"
    is "$1: reason" "$(field detail.ErrorInfo.reason)" "$3"
    is "$1: domain" "$(field detail.ErrorInfo.domain)" authsvc
    has "$1: the message names the reason" "$(field message)" "$3"
}

issue_sara() { call $AUTH/IssueToken "{\"api_key\": \"$API_KEY\", \"user\": {\"id\": \"sara\", \"name\": \"Sara\"}, \"refreshable\": true}"; }

discover() {
    local services manual
    services=$(grpcurl_ "$TARGET" list)
    for service in $AUTH $ADMIN grpc.health.v1.Health; do has "list shows $service" "$services" "$service"; done
    has "list shows the methods" "$(grpcurl_ "$TARGET" list $AUTH)" $AUTH.IssueToken
    manual=$(grpcurl_ "$TARGET" describe $AUTH.IssueToken)
    has "describe prints a method's comment" "$manual" '// Permission: tokens.issue'
    has "describe prints a method's errors" "$manual" 'TTL_TOO_LONG'
    has "describe prints a field's comment" "$(grpcurl_ "$TARGET" describe authsvc.v1.IssueTokenRequest)" '// '
    call grpc.health.v1.Health/Check '{}' -H 'x-nothing: needed'
    is "health is open and serving" "$(field status)" SERVING
}

main_job() {
    local token first second
    issue_sara
    is "issue: user" "$(field info.user.id)" sara
    is "issue: kind" "$(field info.kind)" TOKEN_KIND_USER
    token=$(field token) first=$(field refresh_token)

    call $AUTH/ValidateToken "{\"api_key\": \"$API_KEY\", \"token\": \"$token\"}"
    is "validate: active" "$(field active)" True
    is "validate: status" "$(field status)" TOKEN_STATUS_ACTIVE
    is "validate: user" "$(field info.user.id)" sara

    call $AUTH/ValidateToken "{\"api_key\": \"$API_KEY\", \"token\": \"${token%????}AAAA\"}"
    is "validate a forgery: status" "$(field status)" TOKEN_STATUS_SIGNATURE_INVALID
    is "validate a forgery: error_code" "$(field error_code)" 43
    is "validate a forgery: nothing in it is believed" "$(field info)" None

    call $AUTH/RefreshToken "{\"refresh_token\": \"$first\"}"
    is "refresh: outcome" "$(field outcome)" REFRESH_OUTCOME_ROTATED
    second=$(field refresh_token)
    is "refresh: the refresh token changed" "$([ "$second" != "$first" ] && echo yes)" yes

    call $AUTH/RefreshToken "{\"refresh_token\": \"$first\"}"
    is "replay: outcome" "$(field outcome)" REFRESH_OUTCOME_REPLAYED
    is "replay: the same successor" "$(field refresh_token)" "$second"

    call $AUTH/RefreshToken "{\"refresh_token\": \"$second\"}"
    is "the session lives on" "$(field outcome)" REFRESH_OUTCOME_ROTATED
}

mistakes() {
    local sara="{\"api_key\": \"$API_KEY\", \"user\": {\"id\": \"sara\"}}"

    call $AUTH/IssueToken "$sara" -H 'x-nothing: given'
    refused "no credential" 16 CREDENTIAL_MISSING
    call $AUTH/IssueToken "$sara" -H 'authorization: Bearer ask1_wrong'
    refused "wrong credential" 16 CREDENTIAL_INVALID

    call $AUTH/IssueToken "{\"api_key\": \"$API_KEY\"}"
    refused "no subject" 3 INVALID_REQUEST
    has "no subject: names the field" "$(field detail.BadRequest.field_violations.0.field)" subject
    call $AUTH/IssueToken "{\"api_key\": \"$API_KEY\", \"user\": {\"name\": \"Sara\"}}"
    refused "no user id" 3 INVALID_REQUEST
    is "no user id: names the field" "$(field detail.BadRequest.field_violations.0.field)" user.id

    call $AUTH/IssueToken '{"api_key": "no-such-app", "user": {"id": "sara"}}'
    refused "unknown app" 5 APP_NOT_FOUND
    is "unknown app: the number that clients know" "$(field detail.ErrorInfo.metadata.code)" 2

    call $AUTH/RefreshToken '{"refresh_token": "art1_forged"}'
    refused "forged refresh token" 9 REFRESH_TOKEN_INVALID
}

# An app of its own without clock skew, so that a token of one second expires after one second.
expired_token() {
    local app token
    call $ADMIN/CreateApp '{"settings": {"clock_skew": "0s"}}'
    app=$(field app.api_key)
    is "an app is made" "$([ -n "$app" ] && echo yes)" yes
    call $AUTH/IssueToken "{\"api_key\": \"$app\", \"user\": {\"id\": \"sara\"}, \"ttl\": \"1s\"}"
    token=$(field token)
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        call $AUTH/ValidateToken "{\"api_key\": \"$app\", \"token\": \"$token\"}"
        [ "$(field status)" = TOKEN_STATUS_ACTIVE ] || break
        sleep 0.25
    done
    is "expired token: status" "$(field status)" TOKEN_STATUS_EXPIRED
    is "expired token: error_code" "$(field error_code)" 40
    is "expired token: not active" "$(field active)" False
    is "expired token: still says whose it was" "$(field info.user.id)" sara
    has "expired token: a message to show" "$(field message)" expired
}

leave() {
    issue_sara
    field refresh_token >"$1"
    is "a session is left open" "$([ -s "$1" ] && echo yes)" yes
}

resume() {
    call $AUTH/RefreshToken "{\"refresh_token\": \"$(cat "$1")\"}"
    is "the session of the run before still refreshes" "$(field outcome)" REFRESH_OUTCOME_ROTATED
    is "it is still sara's" "$(field info.user.id)" sara
}

case ${2:-all} in
    all) discover && main_job && mistakes && expired_token ;;
    leave) leave "$3" ;;
    resume) resume "$3" ;;
esac
exit "$failed"
