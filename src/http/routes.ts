import type { FastifyInstance } from 'fastify'

interface Route {
  readonly method: string
  readonly url: string
  readonly pattern: RegExp
}

const routesOf = new WeakMap<object, Route[]>()

/** Takes note of every route from now on, so that a path with the wrong method can be told from an unknown one. */
export const rememberRoutes = (server: FastifyInstance): void => {
  const routes: Route[] = []
  routesOf.set(server.server, routes)
  server.addHook('onRoute', ({ method, url }) => {
    if (url.includes('*')) return
    for (const one of [method].flat()) routes.push({ method: one, url, pattern: patternOf(url) })
  })
}

/** The methods of the route with this path: of one that is written out, before one with parameters. */
export const allowedMethods = (server: FastifyInstance, path: string): readonly string[] => {
  const routes = routesOf.get(server.server) ?? []
  const literal = routes.filter(({ url }) => url === path)
  const fitting = literal.length > 0 ? literal : routes.filter(({ pattern }) => pattern.test(path))
  return [...new Set(fitting.map(({ method }) => method))].sort()
}

const patternOf = (url: string): RegExp =>
  new RegExp(
    `^${url
      .split('/')
      .map((part) => (part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
      .join('/')}$`,
  )
