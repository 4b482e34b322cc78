/** The page without a network: a service worker keeps its files. */

/**
 * Return whether the files of this page are kept for the next visit, once they are fetched.
 *
 * They cannot be where the browser has no service workers, over plain HTTP from another machine,
 * and where there is no room.
 *
 * @param {(share: number) => void} onProgress told how much is there, 0 to 1
 */
export async function keepOffline(onProgress) {
  const container = navigator.serviceWorker;
  if (!container) return false;
  const heed = ({ data }) => data?.fetched !== undefined && onProgress(data.fetched);
  container.addEventListener("message", heed);
  try {
    const registration = await container.register(new URL("./service_worker.js", import.meta.url));
    return await isActive(registration);
  } catch {
    return false;
  } finally {
    container.removeEventListener("message", heed);
  }
}

/** Return whether a registration has an active worker, once its first one has been installed. */
function isActive(registration) {
  const first = registration.installing ?? registration.waiting;
  if (registration.active || !first) return Promise.resolve(Boolean(registration.active));
  return new Promise(resolve => {
    first.addEventListener("statechange", () => {
      if (first.state === "activated") resolve(true);
      else if (first.state === "redundant") resolve(false);
    });
  });
}
