#!/bin/sh
# Says at NOTIFY_URL, a webhook that takes {"text": ...} (Slack, Mattermost, Teams and others), that a build failed. Does
# nothing without one, and never fails itself: it runs when something has failed already.
set -u
if [ -z "${NOTIFY_URL:-}" ]; then
  echo "NOTIFY_URL is not set: no notification is sent"
  exit
fi
commit=$(git log -1 --format='%h %s' 2>/dev/null | tr -cd '[:alnum:] .,:;()/_-')
text="Failed: ${JOB_NAME:-tally} ${BUILD_NUMBER:-} (${commit:-unknown commit}) ${BUILD_URL:-}"
curl --silent --show-error --max-time 20 --header 'Content-Type: application/json' --data "{\"text\":\"$text\"}" "$NOTIFY_URL" ||
  echo "Not notified"
