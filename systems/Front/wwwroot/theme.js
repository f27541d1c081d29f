// Runs before the first paint, so that a stored choice of theme does not flash the other one.
(() => {
  const dark = matchMedia('(prefers-color-scheme: dark)');

  function stored() {
    try {
      return localStorage.getItem('theme');
    } catch {
      return null; // Storage can be forbidden; the system's preference still holds.
    }
  }

  function apply() {
    const choice = stored();
    const theme = choice === 'dark' || choice === 'light' ? choice : dark.matches ? 'dark' : 'light';
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new CustomEvent('theme', { detail: theme }));
  }

  dark.addEventListener('change', apply);
  addEventListener('storage', apply);
  document.addEventListener('theme-toggle', () => {
    const next = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    const isSystemChoice = (next === 'dark') === dark.matches;
    try {
      if (isSystemChoice) {
        localStorage.removeItem('theme'); // Back in agreement with the system, the page follows it again.
      } else {
        localStorage.setItem('theme', next);
      }
      apply();
    } catch {
      document.documentElement.dataset.theme = next;
      document.dispatchEvent(new CustomEvent('theme', { detail: next }));
    }
  });
  apply();
})();
