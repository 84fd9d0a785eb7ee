#!/bin/sh
# drain.sh SOCKET: run this before you stop the web server that listens on the socket.
#
# nginx can no longer open the socket, and asks the next server instead, even for a POST: it has not
# sent that one yet. What it did send is in the socket's queue, and a server that stopped now would
# drop it. After five seconds, the server has read it. If you interrupt this, the server goes on.
set -eu
[ -S "$1" ] || exit 0 # It has stopped already.
mode=$(stat -c %a "$1")
trap 'chmod "$mode" "$1"; exit 1' HUP INT TERM
chmod 0 "$1"
sleep 5
