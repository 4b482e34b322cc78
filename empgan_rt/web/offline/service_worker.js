/**
 * Keeps the page's files, each as long as it is in use, so that a visit needs no network.
 *
 * `GROUPS`, written in front of this, holds caches by name, and for each file of one its SHA-256
 * and its size. A file that is not what it should be is never kept. A newer version of the page is
 * fetched beside the old one and takes over once the page is closed; what both share stays.
 */

const PREFIX = `empgan-rt ${registration.scope} `;
const FILES = new Map(
  Object.entries(GROUPS).flatMap(([group, files]) =>
    Object.keys(files).map(path => [new URL(path, registration.scope).href, PREFIX + group]),
  ),
);

addEventListener("install", event => event.waitUntil(fetchAll()));
addEventListener("activate", event => event.waitUntil(takeOver()));
addEventListener("fetch", event => {
  const url = new URL(event.request.url);
  url.search = url.hash = "";
  if (url.href === registration.scope) url.pathname += "index.html";
  if (event.request.method === "GET" && FILES.has(url.href)) {
    event.respondWith(kept(url.href, event.request));
  }
});

async function kept(href, request) {
  const cache = await caches.open(FILES.get(href));
  return (await cache.match(href)) ?? fetch(request);
}

async function fetchAll() {
  const files = Object.entries(GROUPS).flatMap(([group, each]) =>
    Object.entries(each).map(([path, [sha256, size]]) => ({ group, path, sha256, size })),
  );
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let there = 0;
  for (const { group, path, sha256, size } of files) {
    const cache = await caches.open(PREFIX + group);
    const href = new URL(path, registration.scope).href;
    if (!(await cache.match(href))) {
      const before = there;
      const tell = count => announce((before + count) / total);
      await cache.put(href, await fetched(href, sha256, size, tell));
    }
    there += size;
    await announce(there / total);
  }
}

/** Return the response of a file whose bytes are what they should be. */
async function fetched(href, sha256, size, tell) {
  const response = await fetch(href, { cache: "no-cache" });
  if (!response.ok) throw new Error(`${href}: ${response.status}`);
  const parts = [];
  let count = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    count += value.length;
    if (count > size) break;
    await tell(count);
  }
  const bytes = await new Blob(parts).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = Array.from(digest, byte => byte.toString(16).padStart(2, "0")).join("");
  if (found !== sha256) throw new Error(`${href} is not what it should be`);
  return new Response(bytes, { headers: { "content-type": response.headers.get("content-type") ?? "" } });
}

async function announce(share) {
  for (const page of await clients.matchAll({ includeUncontrolled: true, type: "window" })) {
    page.postMessage({ fetched: share });
  }
}

async function takeOver() {
  const wanted = new Set(FILES.values());
  const names = await caches.keys();
  const gone = names.filter(name => name.startsWith(PREFIX) && !wanted.has(name));
  await Promise.all(gone.map(name => caches.delete(name)));
  await clients.claim();
}
