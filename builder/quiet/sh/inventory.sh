# What is on the machine: its services, and its files by folder. Two machines that were made alike
# print the same, so nothing here depends on times, on numbers of inodes, or on the order in which
# files were written; what differs by nature is left out (builder/quiet/ignored.py).

tab=$(printf '\t')
newline='
'

# own_mounts: where the root's own disk is mounted. Of other disks nothing comes into an image, and
# what a container has bound into its root is the host's.
own_mounts() {
    echo /
    case $(root_source) in /dev/*) ;; *) return ;; esac
    foreign=$(foreign_mounts)
    awk '$1 ~ "^/dev/" && $1 !~ "^/dev/loop" && $2 != "/" { print $2 }' /proc/mounts |
        while IFS= read -r place; do
            place=$(printf '%b' "$place")
            [ -d "$place" ] || continue
            printf '%s\n' "$foreign" | grep -Fxq -e "$place" || printf '%s\n' "$place"
        done | sort -u
}

# services: what starts by itself, and at what, of systemd and of OpenRC: by links, so that no
# manager has to run.
services() {
    for link in /etc/systemd/system/*.wants/* /etc/systemd/system/*.requires/* \
        /etc/runlevels/*/*; do
        [ -L "$link" ] || continue
        folder=${link%/*}
        target=${folder##*/}
        target=${target%.wants}
        says service "$(one_word "${link##*/}")" "$(one_word "${target%.requires}")"
    done
}

one_word() { printf %s "$1" | tr -c '!-~' '?'; }

# found TEST...: the names of files that pass and are not left out, with a NUL behind each.
found() {
    own_mounts | while IFS= read -r place; do
        find "$place" -xdev \( "$@" -print0 2>/dev/null
    done
}

# entries TEST...: a line for each file, with its name in the sixth field: kind, mode, owner, group,
# size, name; of links also where they lead, and beside that line one with the hash of its contents.
# A folder's size is the file system's affair.
entries() {
    owner="%f$tab%u$tab%g"
    found "$@" \) -prune -o -type f | xargs -0 -r stat -c "f$tab$owner$tab%s$tab%n" 2>/dev/null
    found "$@" \) -prune -o -type l |
        xargs -0 -r stat -c "l$tab$owner${tab}0$tab%n$tab%N" 2>/dev/null
    found "$@" \) -prune -o ! -type f ! -type l ! -type s |
        xargs -0 -r stat -c "o$tab$owner${tab}0$tab%n" 2>/dev/null
    [ "$inventory" = contents ] || return 0
    # A name with a backslash has one more in front of its hash.
    found "$@" \) -prune -o -type f | xargs -0 -r sha256sum 2>/dev/null |
        sed "s/^\\\\\{0,1\}\([0-9a-f]\{64\}\)  /c$tab\1$tab-$tab-${tab}0$tab/"
}

# folders TEST...: a line for each folder at most three levels deep, which stands for all below:
# how many files, how many bytes, and a hash of all entries. Beyond some thousands they are one.
folders() {
    entries "$@" | awk -F '\t' -v OFS='\t' '{
        levels = split($6, names, "/")
        folder = ""
        for (level = 2; level < levels && level <= 4; level++) folder = folder "/" names[level]
        gsub(/[^!-~]/, "?", folder)
        print (folder == "" ? "/" : substr(folder, 1, 200)), $0
    }' | sort | awk -F '\t' -v most="$folders_max" '
        function told() {
            if (folder == "") return
            printf "remuda\tfolder\t%s\t%d %.0f ", folder, files, bytes
            fflush()
            close("sha256sum")
        }
        $1 != folder && count < most {
            told()
            folder = (++count == most) ? "/*" : $1
            files = bytes = 0
        }
        {
            if ($2 == "f") { files++; bytes += $6 }
            print | "sha256sum"
        }
        END { told() }'
}

phase_inventory() {
    start inventory
    need sha256sum xargs
    set -- -name "*$newline*" -o -path "$own"
    while IFS= read -r pattern; do
        [ -z "$pattern" ] || set -- "$@" -o -path "$pattern"
    done <<PATTERNS
$ignored
PATTERNS
    listed=$(
        services
        folders "$@"
    )
    printf '%s\n' "$listed"
    says end inventory "$(printf '%s\n' "$listed" | grep -c '^remuda	')"
}

