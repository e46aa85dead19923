package atlassite

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// mostURLs is what one sitemap may hold, with some to spare (sitemaps.org:
// 50,000, and 50 MB).
const mostURLs = 45000

const sitemapSpace = "http://www.sitemaps.org/schemas/sitemap/0.9"

// sitemaps lists pages, given by their folders. More than most make several
// files and an index of them. Without an address of the site the places are
// paths, which people can read and search engines do not.
func sitemaps(base string, dirs []string, most int) []file {
	base = strings.TrimSuffix(base, "/") + "/"
	if len(dirs) <= most {
		return []file{{"sitemap.xml", sitemap("urlset", "url", base, dirs)}}
	}
	var out []file
	var parts []string
	for n := 1; len(dirs) > 0; n++ {
		name := fmt.Sprintf("sitemap-%d.xml", n)
		cut := min(most, len(dirs))
		out = append(out, file{name, sitemap("urlset", "url", base, dirs[:cut])})
		parts, dirs = append(parts, name), dirs[cut:]
	}
	return append(out, file{"sitemap.xml", sitemap("sitemapindex", "sitemap", base, parts)})
}

func sitemap(list, item, base string, paths []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s<%s xmlns=%q>\n", xml.Header, list, sitemapSpace)
	for _, p := range paths {
		fmt.Fprintf(&b, "<%s><loc>", item)
		_ = xml.EscapeText(&b, []byte(base+p)) // a Buffer takes everything
		fmt.Fprintf(&b, "</loc></%s>\n", item)
	}
	fmt.Fprintf(&b, "</%s>\n", list)
	return b.Bytes()
}

// robots lets everybody in, and tells where the sitemap is when it has an
// address.
func robots(base string) []byte {
	text := "User-agent: *\nAllow: /\n"
	if base != "" {
		text += "\nSitemap: " + base + "sitemap.xml\n"
	}
	return []byte(text)
}
