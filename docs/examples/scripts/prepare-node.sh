#!/bin/sh
# Runs on each new node before its checks; exit code 0 means that it worked.
set -eu
install -d -o zuul -g zuul /home/zuul/workspace
