import { announce, byId, setText } from './page/elements.js';
import { Live } from './page/live.js';
import { Store } from './page/store.js';
import { showAcknowledging } from './page/acknowledge.js';
import { showAlerts } from './page/alerts.js';
import { showCharts } from './page/charts.js';
import { showDevice } from './page/device.js';
import { showExplain } from './page/explain.js';
import { showFilter } from './page/filter.js';
import { showFlow } from './page/flow.js';
import { showMap } from './page/map.js';
import { showMatches } from './page/matches.js';
import { followAddress } from './page/selection.js';
import { showTiles } from './page/tiles.js';

const connectionWords = { connecting: 'Connecting', live: 'Live', reconnecting: 'Reconnecting', asleep: 'Asleep' };

const store = new Store();
showConnection();
showThemeToggle();
showTiles(store);
showFilter(store);
showMap(store);
showMatches(store);
showCharts(store);
showDevice(store);
showAlerts(store);
showAcknowledging();
showFlow(store);
showExplain();
followAddress(store);

new Live('/api/live', {
  snapshot: message => store.takeSnapshot(message),
  devices: message => store.takeRows(message.devices),
  values: buffer => store.takeFrame(buffer),
  stats: message => store.takeStats(message.stats),
  alert: message => store.takeAlert(message.alert),
}, (state, retryMs) => {
  store.connection = state;
  store.retryAt = performance.now() + retryMs;
  store.touch('connection');
}).start();

function showConnection() {
  let before = 'connecting';
  const draw = () => {
    const rest = Math.ceil((store.retryAt - performance.now()) / 1000);
    setText(byId('connection-word'), store.connection === 'reconnecting' && rest > 1
      ? `Reconnecting in ${rest} s` : connectionWords[store.connection]);
  };
  setInterval(() => store.connection === 'reconnecting' && draw(), 500);
  store.on('connection', () => {
    draw();
    byId('connection').dataset.state = store.connection;
    document.body.dataset.connection = store.connection;
    byId('stale').hidden = store.connection !== 'reconnecting';
    if (store.connection !== before && store.connection !== 'connecting') {
      announce(store.connection === 'live' ? 'Connected to Sensors.' : 'Connection lost, reconnecting.');
    }
    before = store.connection;
  });
}

function showThemeToggle() {
  const button = byId('theme');
  const draw = () => button.setAttribute('aria-pressed', document.documentElement.dataset.theme === 'dark');
  button.addEventListener('click', () => document.dispatchEvent(new Event('theme-toggle')));
  document.addEventListener('theme', draw);
  draw();
}
