// Sets the theme before the first paint: light, dark, or the system's.
(function () {
  "use strict";
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    var choice = root.dataset.theme;
    root.dataset.bsTheme = choice === "dark" || (choice !== "light" && dark.matches) ? "dark" : "light";
  }
  dark.addEventListener("change", apply);
  document.addEventListener("fd:theme", apply);
  apply();
})();
