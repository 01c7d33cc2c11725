import { createServer, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import gossipGrpc from '@eventstore/db-client/generated/gossip_grpc_pb.js'
import featuresGrpc from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js'
import streamsGrpc from '@eventstore/db-client/generated/streams_grpc_pb.js'
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { append } from './append.js'
import { batchAppend } from './batch-append.js'
import { listenForFaults } from './control.js'
import { deleteStream, tombstoneStream } from './delete.js'
import type { Double } from './double.js'
import { EventFile } from './event-file.js'
import { Conduct } from './faults.js'
import { getSupportedMethods, gossip } from './introduction.js'
import { read } from './read.js'

/** As the real server sets them. */
const HTTP2 = {
  'grpc.max_concurrent_streams': 100,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
}

const main = (): void => {
  const { values } = parseArgs({
    options: {
      file: { type: 'string', default: 'events' },
      port: { type: 'string', default: '2113' },
      control: { type: 'string', default: '2114' },
      'max-append-bytes': { type: 'string', default: '1048576' },
      'grace-ms': { type: 'string', default: '0' },
    },
  })
  const sockets = new Map<string, Socket>()
  const double: Double = {
    file: new EventFile(values.file),
    conduct: new Conduct(),
    maxAppendBytes: Number(values['max-append-bytes']),
    cut: (peer) => sockets.get(peer)?.resetAndDestroy(),
  }
  const injector = serve(double, Number(values.port)).createConnectionInjector(ServerCredentials.createInsecure())
  const listener = createServer({ noDelay: true }, (socket) => {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`
    sockets.set(peer, socket)
    socket.once('close', () => sockets.delete(peer))
    socket.on('error', () => undefined)
    injector.injectConnection(socket)
  })
  listener.listen(Number(values.port), '127.0.0.1', () => listenForFaults(Number(values.control), double.conduct))
  // The real server goes on for some five seconds, while it takes no new connections.
  process.once('SIGTERM', () => {
    listener.close()
    setTimeout(() => process.exit(), Number(values['grace-ms']))
  })
}

const serve = (double: Double, port: number): Server => {
  const server = new Server(HTTP2)
  const add = (service: object, handlers: UntypedServiceImplementation) =>
    server.addService(service as ServiceDefinition, handlers)
  add(streamsGrpc.StreamsService, {
    read: read(double),
    append: append(double),
    batchAppend: batchAppend(double),
    delete: deleteStream(double),
    tombstone: tombstoneStream(double),
  } as UntypedServiceImplementation)
  add(featuresGrpc.ServerFeaturesService, { getSupportedMethods } as UntypedServiceImplementation)
  add(gossipGrpc.GossipService, { read: gossip(port) } as UntypedServiceImplementation)
  return server
}

main()
