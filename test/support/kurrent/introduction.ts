import { randomUUID } from 'node:crypto'
import type { ClusterInfo } from '@eventstore/db-client/generated/gossip_pb.js'
import gossipPb from '@eventstore/db-client/generated/gossip_pb.js'
import type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js'
import featuresPb from '@eventstore/db-client/generated/serverfeatures_pb.js'
import type { Empty } from '@eventstore/db-client/generated/shared_pb.js'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'

const VERSION = '23.10.8'

/** What the double can do, in the words of the server. */
const METHODS: readonly (readonly [service: string, method: string, ...features: string[]])[] = [
  ['event_store.client.streams.streams', 'read', 'position', 'events'],
  ['event_store.client.streams.streams', 'append'],
  ['event_store.client.streams.streams', 'delete'],
  ['event_store.client.streams.streams', 'tombstone'],
  ['event_store.client.streams.streams', 'batchappend', 'deadline_duration'],
  ['event_store.client.gossip.gossip', 'read'],
  ['event_store.client.server_features.serverfeatures', 'getsupportedmethods'],
]

/** By this a client decides how it appends. */
export const getSupportedMethods = (
  _: ServerUnaryCall<Empty, SupportedMethods>,
  answer: sendUnaryData<SupportedMethods>,
) => {
  const methods = METHODS.map(([service, method, ...features]) =>
    new featuresPb.SupportedMethod().setServiceName(service).setMethodName(method).setFeaturesList(features),
  )
  answer(null, new featuresPb.SupportedMethods().setMethodsList(methods).setEventStoreServerVersion(VERSION))
}

/** One node, which leads. */
export const gossip = (port: number) => {
  // Clients refuse an id that is no UUID.
  const half = (at: number) => String(Buffer.from(randomUUID().replaceAll('-', ''), 'hex').readBigInt64BE(at))
  const id = new sharedPb.UUID.Structured().setMostSignificantBits(half(0)).setLeastSignificantBits(half(8))
  return (_: ServerUnaryCall<Empty, ClusterInfo>, answer: sendUnaryData<ClusterInfo>) => {
    const member = new gossipPb.MemberInfo()
      .setInstanceId(new sharedPb.UUID().setStructured(id))
      .setTimeStamp(String(BigInt(Date.now()) * 10_000n))
      .setState(gossipPb.MemberInfo.VNodeState.LEADER)
      .setIsAlive(true)
      .setHttpEndPoint(new gossipPb.EndPoint().setAddress('127.0.0.1').setPort(port))
    answer(null, new gossipPb.ClusterInfo().setMembersList([member]))
  }
}
