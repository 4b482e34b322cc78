/** Colours: as the system has them, light or dark; remembered where the browser allows it. */

const THEMES = ["system", "light", "dark"];
const NAMES = { system: "as the system", light: "light", dark: "dark" };

/** Let a button go through the themes. */
export function startTheme(button) {
  let theme = remembered();
  apply(button, theme);
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    apply(button, theme);
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // It holds until the page is closed.
    }
  });
}

function remembered() {
  try {
    const theme = localStorage.getItem("theme");
    return THEMES.includes(theme) ? theme : "system";
  } catch {
    return "system";
  }
}

function apply(button, theme) {
  document.documentElement.dataset.theme = theme;
  button.setAttribute("aria-label", `Colours: ${NAMES[theme]}`);
  button.title = `Colours: ${NAMES[theme]}`;
}
