// All that is tested of the hub, through a proxy: it may not change what is promised.
import test from 'ava'
import { type ProxyServer, proxyServer, setProxies } from '../helpers/proxy.js'
import './hub.test.js'
import './hub-hostile.test.js'
import './hub-requests.test.js'

let proxy: ProxyServer

test.before('every request goes through a proxy', async () => {
  proxy = await proxyServer()
  setProxies({ HTTP_PROXY: proxy.url.replace('http://', 'http://me:secret@') })
})

test.after('the requests went through the proxy, with its password', (t) => {
  t.true(proxy.requests.filter((request) => request.startsWith('GET http://127.0.0.1:')).length > 100)
  t.deepEqual([...new Set(proxy.credentials)], [`Basic ${Buffer.from('me:secret').toString('base64')}`])
})
