// Package atlassite writes what is known of ports as a static web site: a page
// for every port with content, one for each range of the rest, lists, licences
// and a sitemap. The pages need no JavaScript and load nothing from elsewhere.
// It knows nothing of ports itself; the atlas does. It serves nothing.
package atlassite
