# What the builder wants: all of it comes in the environment, so that no text needs quoting.
# Secrets leave it at once: other people's programs are about to run.
needles=${REMUDA_NEEDLES-}
login_keys=${REMUDA_LOGIN_KEYS-}
host_keys=${REMUDA_HOST_KEYS-}
build_only=${REMUDA_BUILD_ONLY-}
quiet_kinds=${REMUDA_QUIET_KINDS-}
clone_kinds=${REMUDA_CLONE_KINDS-}
cloud_init_limit=${REMUDA_CLOUD_INIT_LIMIT:-600}
lock_limit=${REMUDA_LOCK_LIMIT:-300}
search_limit=${REMUDA_SEARCH_LIMIT:-600}
inventory=${REMUDA_INVENTORY:-sizes}
ignored=${REMUDA_IGNORED-}
folders_max=${REMUDA_FOLDERS_MAX:-4000}
unset REMUDA_NEEDLES REMUDA_LOGIN_KEYS REMUDA_BUILD_ONLY

# shellcheck disable=SC2086 # words
for phase in $REMUDA_PHASES; do
    "phase_$phase" || exit
done
