//! Fetches that only the engine can answer: what they are called, take and give, and where they may stand.
//!
//! Source: manual §7.3.2 to §7.3.5; arguments, types and places as `haproxy -dKsmp` of 2.6 lists them (those of 3.x as 3.4
//! does). `bc_src` and `bc_dst` are addresses, as the manual says, although 2.6 lists them as numbers.

use super::places::{ALWAYS, BACKEND, CHOSEN, CLIENT, FRONTEND, LIVE, REQUEST, RESULT, SERVER, STREAM};
use crate::expr::{Places, Type};

macro_rules! known {
    ($($fetch:ident $name:literal $spec:literal $gives:ident $places:ident,)*) => {
        /// A fetch that only the engine can answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Known {
            $(#[doc = concat!("`", $name, "`.")] $fetch,)*
        }

        impl Known {
            /// All of them, by name.
            pub const ALL: &'static [Self] = &[$(Self::$fetch,)*];

            /// What it is called.
            pub fn name(self) -> &'static str {
                match self { $(Self::$fetch => $name,)* }
            }

            /// What arguments it takes (see [`crate::expr::args`]).
            pub(in crate::expr) fn spec(self) -> &'static str {
                match self { $(Self::$fetch => $spec,)* }
            }

            /// What it gives.
            pub fn gives(self) -> Type {
                match self { $(Self::$fetch => Type::$gives,)* }
            }

            /// Where it may stand.
            pub fn places(self) -> Places {
                match self { $(Self::$fetch => $places,)* }
            }

            /// The fetch of that name.
            pub fn named(name: &[u8]) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name().as_bytes() == name)
            }
        }
    };
}

impl Known {
    /// Whether it is about the process, its proxies and servers, so that no connection is needed to answer it.
    pub fn of_process(self) -> bool {
        use Known as K;
        matches!(self, K::ActConn | K::Pid | K::Stopping | K::Tgroup | K::Uptime)
            || matches!(self, K::FeConn | K::FeReqRate | K::FeSessRate)
            || matches!(
                self,
                K::AvgQueue | K::BeConn | K::BeConnFree | K::BeSessRate | K::Connslots | K::Nbsrv | K::Queue
            )
            || matches!(self, K::SrvConn | K::SrvConnFree | K::SrvIsUp | K::SrvIweight | K::SrvQueue)
            || matches!(self, K::SrvSessRate | K::SrvUweight | K::SrvWeight)
    }

    /// Whether a check can answer it: what is about its server and its connection.
    pub(in crate::expr) fn of_checks(self) -> bool {
        use Known as K;
        matches!(self, K::BcDst | K::BcDstPort | K::BcErr | K::BcErrStr | K::BcSrc | K::BcSrcPort | K::BeId | K::BeName)
            || matches!(self, K::BeServerTimeout | K::BeTunnelTimeout | K::SrvId | K::SrvName)
    }
}

known! {
    AcceptDate "accept_date" "|s" Int CLIENT,
    ActConn "act_conn" "" Int ALWAYS,
    AvgQueue "avg_queue" "b" Int LIVE,
    BcTimerConnect "bc.timer.connect" "" Int SERVER,
    BcBeQueue "bc_be_queue" "" Int SERVER,
    BcDst "bc_dst" "" Addr SERVER,
    BcDstPort "bc_dst_port" "" Int SERVER,
    BcErr "bc_err" "" Int SERVER,
    BcErrStr "bc_err_str" "" Str SERVER,
    BcReused "bc_reused" "" Bool SERVER,
    BcRtt "bc_rtt" "|s" Int CLIENT,
    BcRttvar "bc_rttvar" "|s" Int CLIENT,
    BcSrc "bc_src" "" Addr SERVER,
    BcSrcPort "bc_src_port" "" Int SERVER,
    BcSrvQueue "bc_srv_queue" "" Int SERVER,
    BeConn "be_conn" "b" Int LIVE,
    BeConnFree "be_conn_free" "b" Int LIVE,
    BeConnectTimeout "be_connect_timeout" "" Int BACKEND,
    BeId "be_id" "" Int BACKEND,
    BeName "be_name" "" Str BACKEND,
    BeQueueTimeout "be_queue_timeout" "" Int BACKEND,
    BeServerTimeout "be_server_timeout" "" Int BACKEND,
    BeSessRate "be_sess_rate" "b" Int LIVE,
    BeTunnelTimeout "be_tunnel_timeout" "" Int BACKEND,
    BytesIn "bytes_in" "" Int STREAM,
    BytesOut "bytes_out" "" Int RESULT,
    CaptureReqHdr "capture.req.hdr" "i" Str STREAM,
    CaptureResHdr "capture.res.hdr" "i" Str SERVER,
    Connslots "connslots" "b" Int LIVE,
    CpuNsAvg "cpu_ns_avg" "" Int LIVE,
    CpuNsTot "cpu_ns_tot" "" Int LIVE,
    CurClientTimeout "cur_client_timeout" "" Int FRONTEND,
    CurConnectTimeout "cur_connect_timeout" "" Int BACKEND,
    CurQueueTimeout "cur_queue_timeout" "" Int BACKEND,
    CurServerTimeout "cur_server_timeout" "" Int BACKEND,
    CurTunnelTimeout "cur_tunnel_timeout" "" Int BACKEND,
    Dst "dst" "" Addr CLIENT,
    DstConn "dst_conn" "" Int FRONTEND,
    DstIsLocal "dst_is_local" "" Bool CLIENT,
    DstPort "dst_port" "" Int CLIENT,
    FcTimerHandshake "fc.timer.handshake" "" Int CLIENT,
    FcTimerTotal "fc.timer.total" "" Int FRONTEND,
    FcDst "fc_dst" "" Addr CLIENT,
    FcDstIsLocal "fc_dst_is_local" "" Bool CLIENT,
    FcDstPort "fc_dst_port" "" Int CLIENT,
    FcErr "fc_err" "" Int CLIENT,
    FcErrStr "fc_err_str" "" Str CLIENT,
    FcFackets "fc_fackets" "|s" Int CLIENT,
    FcLost "fc_lost" "|s" Int CLIENT,
    FcPpAuthority "fc_pp_authority" "" Str CLIENT,
    FcPpUniqueId "fc_pp_unique_id" "" Str CLIENT,
    FcPpTlv "fc_pp_tlv" "s" Str CLIENT,
    FcRcvdProxy "fc_rcvd_proxy" "" Bool CLIENT,
    FcReordering "fc_reordering" "|s" Int CLIENT,
    FcRetrans "fc_retrans" "|s" Int CLIENT,
    FcRtt "fc_rtt" "|s" Int CLIENT,
    FcRttvar "fc_rttvar" "|s" Int CLIENT,
    FcSacked "fc_sacked" "|s" Int CLIENT,
    FcSavedSyn "fc_saved_syn" "" Bin CLIENT,
    FcSrc "fc_src" "" Addr CLIENT,
    FcSrcIsLocal "fc_src_is_local" "" Bool CLIENT,
    FcSrcPort "fc_src_port" "" Int CLIENT,
    FcUnacked "fc_unacked" "|s" Int CLIENT,
    FeClientTimeout "fe_client_timeout" "" Int FRONTEND,
    FeConn "fe_conn" "f" Int LIVE,
    FeDefbe "fe_defbe" "" Str FRONTEND,
    FeId "fe_id" "" Int FRONTEND,
    FeName "fe_name" "" Str FRONTEND,
    FeReqRate "fe_req_rate" "f" Int LIVE,
    FeSessRate "fe_sess_rate" "f" Int LIVE,
    HttpAuth "http_auth" "s" Bool REQUEST,
    HttpAuthGroup "http_auth_group" "s" Str REQUEST,
    LastEntity "last_entity" "" Str LIVE,
    LastRuleFile "last_rule_file" "" Str LIVE,
    LastRuleLine "last_rule_line" "" Int LIVE,
    LatNsAvg "lat_ns_avg" "" Int LIVE,
    LatNsTot "lat_ns_tot" "" Int LIVE,
    Nbsrv "nbsrv" "b" Int LIVE,
    Path "path" "" Str REQUEST,
    Pid "pid" "" Int ALWAYS,
    PrioClass "prio_class" "" Int LIVE,
    PrioOffset "prio_offset" "" Int LIVE,
    Queue "queue" "b" Int LIVE,
    ReqBytesIn "req.bytes_in" "" Int STREAM,
    ReqBytesOut "req.bytes_out" "" Int STREAM,
    ReqTimerQueue "req.timer.queue" "" Int SERVER,
    ResBytesIn "res.bytes_in" "" Int RESULT,
    ResBytesOut "res.bytes_out" "" Int RESULT,
    ResTimerData "res.timer.data" "" Int RESULT,
    ScKey "sc_key" "i" Any LIVE,
    ScKey0 "sc0_key" "" Any LIVE,
    ScKey1 "sc1_key" "" Any LIVE,
    ScKey2 "sc2_key" "" Any LIVE,
    SoId "so_id" "" Int FRONTEND,
    SoName "so_name" "" Str FRONTEND,
    Src "src" "" Addr CLIENT,
    SrcIsLocal "src_is_local" "" Bool CLIENT,
    SrcPort "src_port" "" Int CLIENT,
    SrvConn "srv_conn" "v" Int LIVE,
    SrvConnFree "srv_conn_free" "v" Int LIVE,
    SrvId "srv_id" "" Int CHOSEN,
    SrvIsUp "srv_is_up" "v" Bool LIVE,
    SrvIweight "srv_iweight" "v" Int LIVE,
    SrvName "srv_name" "" Str CHOSEN,
    SrvQueue "srv_queue" "v" Int LIVE,
    SrvSessRate "srv_sess_rate" "v" Int LIVE,
    SrvUweight "srv_uweight" "v" Int LIVE,
    SrvWeight "srv_weight" "v" Int LIVE,
    Stopping "stopping" "" Bool LIVE,
    TableAvl "table_avl" "t" Int LIVE,
    TableCnt "table_cnt" "t" Int LIVE,
    Tgroup "tgroup" "" Int ALWAYS,
    Thread "thread" "" Int ALWAYS,
    TxnConnRetries "txn.conn_retries" "" Int SERVER,
    TxnId32 "txn.id32" "" Int LIVE,
    TxnRedispatched "txn.redispatched" "" Bool SERVER,
    TxnSessTermState "txn.sess_term_state" "" Str LIVE,
    TxnTimerTotal "txn.timer.total" "" Int STREAM,
    TxnTimerUser "txn.timer.user" "" Int STREAM,
    UniqueId "unique-id" "" Str ALWAYS,
    Uptime "uptime" "" Int ALWAYS,
    WaitingEntity "waiting_entity" "" Str LIVE,
}
