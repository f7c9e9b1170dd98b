#!/bin/sh
# Makes the tool of this release: install-tools.sh VERSION. A real one would fetch packages here,
# so that no test has to.
set -eu
version=$1
cat >/usr/local/bin/release <<END
#!/bin/sh
echo "tools $version"
END
chmod 755 /usr/local/bin/release
echo "$version" >/etc/release-of-tools
