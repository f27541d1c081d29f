import { announce, byId, setText, words } from './elements.js';
import { ask, Problem } from './api.js';
import { clearProblem, showProblem } from './fields.js';

const nameKey = 'acknowledge-by';
let pending = null;

/** Opens the dialog for one alert. */
export function acknowledge(store, alert) {
  pending = { store, alert };
  const form = byId('acknowledge-form');
  clearProblem(form);
  form.reset();
  form.elements.by.value = rememberedName();
  setText(byId('acknowledge-what'), `${words(alert.kind)} of ${alert.deviceId}: ${alert.reason ?? ''}`);
  byId('acknowledge').showModal();
  (form.elements.by.value === '' ? form.elements.by : form.elements.note).focus();
}

export function showAcknowledging() {
  const dialog = byId('acknowledge');
  const form = byId('acknowledge-form');
  byId('acknowledge-cancel').addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', event => event.target === dialog && dialog.close());
  form.addEventListener('submit', event => {
    event.preventDefault();
    send(dialog, form);
  });
}

async function send(dialog, form) {
  const { store, alert } = pending;
  const by = form.elements.by.value.trim();
  const note = form.elements.note.value.trim();
  if (by === '') {
    showProblem(form, new Problem(0, 'A name is missing.', undefined, new Map([['by', ['Say who acknowledges the alert.']]])));
    return;
  }
  remember(by);
  const button = form.querySelector('[type=submit]');
  button.disabled = true;
  clearProblem(form);
  try {
    const changed = await ask(`/api/alerts/${encodeURIComponent(alert.alertId)}/acknowledge`, {
      method: 'POST', body: { by, note: note === '' ? null : note },
    });
    // The feed may have told of something newer meanwhile, such as that the alert has cleared.
    if (changed?.alertId && store.alerts.get(changed.alertId)?.state === 'OPEN') {
      store.takeAlert(changed);
    }
    announce('Acknowledged.');
    dialog.close();
  } catch (problem) {
    showProblem(form, problem);
  } finally {
    button.disabled = false;
  }
}

function rememberedName() {
  try {
    return localStorage.getItem(nameKey) ?? '';
  } catch {
    return ''; // Storage can be forbidden; the name is typed again then.
  }
}

function remember(name) {
  try {
    localStorage.setItem(nameKey, name);
  } catch {
    // As above.
  }
}
