package intel_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/intel"
	"reconshield/internal/intel/version"
)

// banner is one text, what it must be read as, and a vulnerability that must
// match and some that must not.
type banner struct {
	text    string
	product exposure.Product
	version string
	builder string // "": nobody's own build
	must    string // ids without "CVE-", set apart by blanks
	mustNot string
}

// banners are texts that servers show, as the documentation of their software,
// public fingerprint collections and distributions' packages have them.
func banners() []banner {
	const b, u, n, k, kr, pa, pr, dm, cd = exposure.BIND, exposure.Unbound, exposure.NSD, exposure.Knot, exposure.KnotRes, exposure.PDNSAuth, exposure.PDNSRec, exposure.Dnsmasq, exposure.CoreDNS
	return []banner{
		// BIND as its vendor releases it.
		{"BIND 9.16.50", b, "9.16.50", "", "2024-1737 2024-11187 2025-40778", "2023-50387 2023-6516 2024-12705 2026-12617 2025-40776"},
		{"9.16.46", b, "9.16.46", "", "2023-50387", "2023-4408 2023-5517"},
		{"9.16.48", b, "9.16.48", "", "2024-1975", "2023-50387 2023-50868 2023-4408"},
		{"9.18.28", b, "9.18.28", "", "2024-11187 2025-40778 2026-3592", "2024-1737 2024-1975 2024-0760 2024-4076 2026-3104"},
		{"BIND 9.18.28 (Extended Support Version) <id:f77393d>", b, "9.18.28", "", "2024-12705", "2024-1737"},
		{"BIND 9.18.46 (Extended Support Version) <id:0>", b, "9.18.46", "", "2026-1519", "2026-3104 2026-3119 2026-3591 2026-3593 2026-5947"},
		{"9.18.49", b, "9.18.49", "", "2026-10723", "2026-5946 2026-5947 2026-3593"},
		{"9.20.20", b, "9.20.20", "", "2026-3104 2026-3593 2026-5947", "2025-40778"},
		{"9.20.26", b, "9.20.26", "", "", "2026-10723 2026-5946 2025-40778"},
		{"9.21.24", b, "9.21.24", "", "", "2026-10723 2026-12617"},
		{"9.19.20", b, "9.19.20", "", "2023-50387 2024-4076", "2023-2828 2022-3094"},
		{"9.10.3-P4", b, "9.10.3-P4", "", "2016-2776 2017-3142", "2016-1286 2015-8704 2015-5477"},
		{"9.9.7-P1", b, "9.9.7-P1", "", "2015-5477 2015-5986", "2015-4620 2015-8461"},
		{"9.9.7-P2", b, "9.9.7-P2", "", "2015-5722", "2015-5477"},
		{"9.9.5-W1", b, "9.9.5-W1", "", "2015-5477", "2014-0591"},
		{"9.4.2-P2.1", b, "9.4.2-P2.1", "", "2009-0696", "2008-1447"},
		{"9.4.2", b, "9.4.2", "", "2008-1447", "2007-0494 2011-2464"},
		{"8.4.7-REL-NOESW", b, "8.4.7-REL-NOESW", "", "", "2023-50387 2023-50868 2020-8616 2003-0914"},
		{"8.3.4-REL", b, "8.3.4-REL", "", "2003-0914", "2005-0033"},
		// Editions.
		{"9.16.50-S1", b, "9.16.50-S1", "", "2024-1737 2025-40776", "2024-1975 2023-50387 2025-8677"},
		{"9.16.46-S1", b, "9.16.46-S1", "", "2023-50387 2024-1975", "2023-4408 2026-12617"},
		{"BIND 9.18.37-S1 (Supported Preview Version)", b, "9.18.37-S1", "", "2025-40776 2025-8677", "2024-11187 2025-40777"},
		{"9.20.11-S1", b, "9.20.11-S1", "", "2025-8677", "2025-40776 2025-40777"},
		{"9.9.3-S1-P1", b, "9.9.3-S1-P1", "", "2017-3142", "2013-4854"},
		{"9.6-ESV-R11-P2", b, "9.6-ESV-R11-P2", "", "2015-5477", "2013-3919 2014-0591 2012-5166"},
		{"9.6.-ESV-R6", b, "9.6.-ESV-R6", "", "2012-1667", "2011-2464 2011-4313"},
		{"DNS Server BIND 9.6-ESV-R7-P2", b, "9.6-ESV-R7-P2", "", "2012-4244", "2012-3817 2012-1667"},
		// Release candidates, betas and what is built between releases.
		{"9.18.0rc1", b, "9.18.0rc1", "", "2022-0667 2023-50387", "2022-3488 2024-0760"},
		{"9.11.0b2", b, "9.11.0b2", "", "2016-2776", "2016-2775"},
		{"9.11.0rc3", b, "9.11.0rc3", "", "2016-9131", "2016-2776"},
		{"9.2.2rc1", b, "9.2.2rc1", "", "2008-1447", "2006-4096"},
		{"9.19.21-dev", b, "9.19.21", "", "2024-1737", "2023-50387 2023-4408"},
		{"9.9.3-rpz2+rl.13208.13-P2", b, "9.9.3-rpz2+rl.13208.13-P2", "", "2015-5477", "2013-4854"},
		// Distributions.
		{"9.18.49-1~deb12u3-Debian", b, "9.18.49", "Debian", "2026-10723", "2026-3593 2026-5946"},
		{"9.18.24-1-Debian", b, "9.18.24", "Debian", "2024-1737", "2023-50387"},
		{"9.11.5-P4-5.1+deb10u11-Debian", b, "9.11.5-P4", "Debian", "2020-8616", "2018-5744"},
		{"9.9.5-9+deb8u6A~4.2.0.201702281603-Debian", b, "9.9.5", "Univention", "2015-5477", "2014-0591"},
		{"9.11.5-P4-5.1+deb10u1-Raspbian", b, "9.11.5-P4", "Raspberry Pi OS", "2020-8616", "2018-5745"},
		{"9.18.18-0ubuntu0.22.04.1-Ubuntu", b, "9.18.18", "Ubuntu", "2023-50387 2023-4236", "2023-2828"},
		{"9.9.5-11ubuntu1.1-Ubuntu", b, "9.9.5", "Ubuntu", "2015-5477", "2014-0591"},
		{"9.9.3-rpz2+rl.13214.22-P2-Ubuntu-2:9.9.3.dfsg.P2-4ubuntu1.1+zentyal12", b, "9.9.3-rpz2+rl.13214.22-P2", "Zentyal", "2015-5477", "2013-4854"},
		{"9.16.23-RH", b, "9.16.23", "Red Hat", "2023-50387", "2021-25219"},
		{"9.11.4-P2-RedHat-9.11.4-26.P2.el7_9.13", b, "9.11.4-P2", "Red Hat", "2020-8617", "2018-5740"},
		{"9.8.2rc1-RedHat-9.8.2-0.62.rc1.el6_9.2", b, "9.8.2rc1", "Red Hat", "2015-5477", "2011-4313"},
		{"9.11.36-RedHat-9.11.36-16.el8_10.4", b, "9.11.36", "Red Hat", "2023-50387", "2021-25219 2021-25214"},
		{"9.10.4-P8-RedHat-9.10.4-4.P8.fc25", b, "9.10.4-P8", "Fedora", "2017-3142", "2017-3137"},
		{"9.18.20-1.fc39", b, "9.18.20", "Fedora", "2023-50387", "2023-3341"},
		{"9.11.4-P2-RedHat-9.11.4-26.P2.amzn2.13", b, "9.11.4-P2", "Amazon Linux", "2020-8617", "2018-5738"},
		{"9.9.9-P3-RedHat-9.9.9-2.1.alios6", b, "9.9.9-P3", "Alibaba Cloud Linux", "2016-8864", "2016-2776"},
		{"9.16.50-150500.8.24.1", b, "9.16.50", "SUSE", "2024-11187", "2023-50387"},
		{"9.18.33-r0", b, "9.18.33", "Alpine", "2025-40778", "2024-11187 2024-12705"},
		{"9.18.33_1", b, "9.18.33", "FreeBSD", "2025-40778", "2024-11187"},
		{"9.18.30-custom", b, "9.18.30", "a packager", "2025-40778", "2024-1737"},
		// Unbound, NSD, Knot.
		{"unbound 1.17.1", u, "1.17.1", "", "2023-50387 2024-33655", "2022-3204 2022-30698 2026-33278"},
		{"unbound 1.13.1", u, "1.13.1", "", "2022-30698", "2020-28935"},
		{"unbound 1.9.1", u, "1.9.1", "", "2019-16866", "2017-15105"},
		{"unbound 1.25.1", u, "1.25.1", "", "2026-52863", "2026-33278 2026-42960"},
		{"unbound 1.26.0", u, "1.26.0", "", "", "2026-52863 2023-50387"},
		{"NSD 4.14.2", n, "4.14.2", "", "2026-12244", "2019-13207"},
		{"NSD 3.2.18", n, "3.2.18", "", "2016-6173", "2012-2978 2009-1755"},
		{"NSD 2.3.7", n, "2.3.7", "", "2012-2979", "2009-1755"},
		{"NSD 4.0.0b5", n, "4.0.0b5", "", "2016-6173", "2012-2979"},
		{"Knot DNS 2.5.2", k, "2.5.2", "", "2017-11104", "2016-6171"},
		{"Knot DNS 1.6.8", k, "1.6.8", "", "2017-11104", "2016-6171"},
		{"Knot DNS 3.2.6", k, "3.2.6", "", "", "2017-11104 2023-50387"},
		{"Knot Resolver 5.7.0", kr, "5.7.0", "", "2023-50868 2023-50387", "2022-40188"},
		{"Knot Resolver 5.7.1", kr, "5.7.1", "", "2026-66374", "2023-50868 2023-50387"},
		// PowerDNS.
		{"PowerDNS Authoritative Server 4.7.3 (built Dec  5 2022 10:21:44 by root@localhost)", pa, "4.7.3", "", "", "2022-27227 2026-33257 2020-24696"},
		{"PowerDNS Authoritative Server 4.9.13", pa, "4.9.13", "", "2026-33257 2026-52682", "2022-27227"},
		{"PowerDNS Authoritative Server 4.0.0-rc2 (built Jul  4 2016 15:44:39 by root@foo-bar.baz)", pa, "4.0.0-rc2", "", "2016-2120", "2021-36754"},
		{"PowerDNS Authoritative Server 4.2.0-rc2.995.master.g8cc411dc4 (built Nov  6 2019 11:48:12 by root@foo-bar.baz)", pa, "4.2.0-rc2", "", "2020-24696", "2019-10162"},
		{"PowerDNS Authoritative Server 4.0.4 (built Jul 26 2017 15:04:27 by root@FreeBSD:11:amd64-default-job-03)", pa, "4.0.4", "FreeBSD", "2017-15091", "2016-7068"},
		{"PowerDNS Authoritative Server 3.3 (jenkins@autotest.powerdns.com built 20150306160718 root@foo-bar.foo.baz)", pa, "3.3", "", "2015-1868", "2015-5311 2012-0206"},
		{"PowerDNS Recursor 5.0.1", pr, "5.0.1", "", "2023-50387", "2024-25583 2026-52682"},
		{"PowerDNS Recursor 4.9.8", pr, "4.9.8", "", "2024-25590", "2023-50387 2026-52682"},
		{"PowerDNS Recursor 4.0.9", pr, "4.0.9", "", "2020-14196", "2018-10851 2018-14626 2017-15120"},
		{"PowerDNS Recursor 3.6.2 (jenkins@autotest.powerdns.com built 20141031140810 mockbuild@)", pr, "3.6.2", "", "2016-7068", "2014-8601 2014-3614 2023-50387"},
		{"dnsdist 1.9.3", version.Dnsdist, "1.9.3", "", "2024-25581 2026-52682", "2018-14663"},
		// dnsmasq and what is built on it.
		{"dnsmasq-2.90", dm, "2.90", "", "2026-2291", "2023-50387 2023-28450"},
		{"dnsmasq-2.86", dm, "2.86", "", "2022-0934 2023-50387", "2021-3448 2025-12198"},
		{"dnsmasq-2.85rc1", dm, "2.85rc1", "", "2022-0934", "2021-3448"},
		{"Dnsmasq version 2.80  Copyright (c) 2000-2018 Simon Kelley", dm, "2.80", "", "2020-25684", "2017-14491"},
		{"dnsmasq-2.76test8", dm, "2.76test8", "", "2015-8899", "2015-3294"},
		{"dnsmasq-2.93rc1", dm, "2.93rc1", "", "", "2026-2291"},
		{"dnsmasq-pi-hole-v2.90", dm, "2.90", "Pi-hole", "2026-2291", "2023-50387"},
		{"dnsmasq-pi-hole-2.80", dm, "2.80", "Pi-hole", "2020-25684", "2017-14491"},
		{"dnsmasq-2.76-1-ubnt2", dm, "2.76", "Ubiquiti", "2017-14491", "2015-3294"},
		{"Pi-hole FTL v6.6.1", version.PiHoleFTL, "6.6.1", "", "2026-2291", "2026-35491 2026-39849"},
		// The others.
		{"CoreDNS-1.11.1", cd, "1.11.1", "", "2025-47950", "2019-19794 2023-30464"},
		{"CoreDNS-1.10.1", cd, "1.10.1", "", "2023-30464", "2019-19794"},
		{"Technitium DNS Server 13.4", version.Technitium, "13.4", "", "2024-56946", "2023-50387 2023-28457"},
		{"AdGuard Home, version v0.107.52", version.AdGuardHome, "0.107.52", "", "2026-32136", "2024-36814"},
		{"AdGuard Home v0.108.0-b.55", version.AdGuardHome, "0.108.0-b.55", "", "", "2026-32136"},
		{"MaraDNS version 3.5.0022", version.MaraDNS, "3.5.0022", "", "2023-31137", "2011-0520"},
		{"Microsoft DNS 10.0.17763 (4563001C)", exposure.WindowsDNS, "10.0.17763", "", "", "2020-1350 2021-24078"},
		{"Microsoft DNS 6.1.7601 (1DB15CD4)", exposure.WindowsDNS, "6.1.7601", "", "", "2020-1350"},
	}
}

func TestBanners(t *testing.T) {
	if len(banners()) < 60 {
		t.Fatalf("only %d banners", len(banners()))
	}
	for _, tt := range banners() {
		got, err := intel.DefaultTable().MatchText(tt.text)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		distribution := tt.builder != "" && tt.builder != "Pi-hole"
		if got.Product != tt.product || got.Version != tt.version || got.Builder != tt.builder || got.Distribution != distribution {
			t.Errorf("%q: read as %s %s built by %q (%t)", tt.text, got.Product, got.Version, got.Builder, got.Distribution)
		}
		var ids []string
		for _, m := range got.Matches {
			ids = append(ids, strings.TrimPrefix(m.CVE, "CVE-"))
			if tt.builder != "" && (m.Confidence != exposure.Low || m.Note == "") {
				t.Errorf("%q: %s is a plain match (%s, %q)", tt.text, m.CVE, m.Confidence, m.Note)
			}
			if distribution && !strings.Contains(m.Note, "the distribution may have backported the fix: check its tracker") {
				t.Errorf("%q: %s says %q", tt.text, m.CVE, m.Note)
			}
		}
		for id := range strings.FieldsSeq(tt.must) {
			if !slices.Contains(ids, id) {
				t.Errorf("%q: CVE-%s must match; got %v", tt.text, id, ids)
			}
		}
		for id := range strings.FieldsSeq(tt.mustNot) {
			if slices.Contains(ids, id) {
				t.Errorf("%q: CVE-%s must not match", tt.text, id)
			}
		}
		if tt.must == "" && len(ids) > 0 {
			t.Errorf("%q: nothing must match; got %v", tt.text, ids)
		}
	}
}

// What hides its version, jokes about it or only names a branch has no match.
func TestTextsWithoutAVersion(t *testing.T) {
	tests := []struct {
		text string
		want error
	}{
		{"", version.ErrProduct},
		{"none", version.ErrProduct},
		{"null", version.ErrProduct},
		{"unknown", version.ErrProduct},
		{"no version", version.ErrProduct},
		{"[SECURED]", version.ErrProduct},
		{"[hidden]", version.ErrProduct},
		{"not currently available", version.ErrProduct},
		{"Go away", version.ErrProduct},
		{"get lost, this is not BIND 9.16.50", version.ErrProduct},
		{"surely you must be joking", version.ErrProduct},
		{"Windows 2003", version.ErrProduct},
		{"99.99.99", version.ErrProduct},
		{"127.0.0.1", version.ErrProduct},
		{"9.63.7201", version.ErrProduct},
		{"9.9.9.9", version.ErrProduct},
		{"1.2.3", version.ErrProduct},
		{"4.9.11", version.ErrProduct},
		{"keweonDNS v.9.63.7201", version.ErrProduct},
		{"Q9-P-6.0", version.ErrProduct},
		{"djbdns 1.05", version.ErrProduct},
		{"BINDER 9.16.50", version.ErrProduct},
		{"gdnsd", version.ErrProduct},
		{"vDev-abcdef", version.ErrProduct},
		{"Served by PowerDNS - https://www.powerdns.com/", version.ErrProduct},
		{"BIND 9", version.ErrVersion},
		{"BIND 9.18", version.ErrVersion},
		{"BIND 42.7", version.ErrVersion},
		{"BIND 42.7.1", version.ErrVersion},
		{"BIND", version.ErrVersion},
		{"unbound", version.ErrVersion},
		{"NSD 4", version.ErrVersion},
		{"NSD ", version.ErrVersion},
		{"dnsmasq-UNKNOWN", version.ErrVersion},
		{"dnsmasq", version.ErrVersion},
		{"PowerDNS Recursor", version.ErrVersion},
		{"PowerDNS Authoritative Server 0.0.g56d692a (built Feb 25 2017 13:10:19 by root@foo-bar.baz)", version.ErrVersion},
		{"BIND 9.18.99999999999999999999", version.ErrVersion},
		{"Microsoft DNS", version.ErrVersion},
	}
	for _, tt := range tests {
		got, err := intel.DefaultTable().MatchText(tt.text)
		if !errors.Is(err, tt.want) || len(got.Matches) > 0 {
			t.Errorf("%q: got %+v and %v, want %v", tt.text, got, err, tt.want)
		}
	}
}
