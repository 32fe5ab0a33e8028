// Runs before the page is painted, so that it never flashes in the wrong colours: light, dark, or as the system is.
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
