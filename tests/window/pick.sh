#!/bin/sh
# Stands in for the menu in which a person picks a notification's action: takes the line
# that contains the words in $LH_DESKTOP/pick.
tee "$LH_DESKTOP/offered" | grep -F -m 1 -- "$(cat "$LH_DESKTOP/pick")"
