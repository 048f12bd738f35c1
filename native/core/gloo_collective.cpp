#include "core/gloo_collective.h"

#include "core/features.h"

#if ST_HAVE_C10D

#include <ATen/ops/empty.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/in_time.h"
#include "core/rank_store.h"

#define USE_C10D_GLOO 1
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

namespace st {

namespace {

using Clock = Collective::Clock;
using std::chrono::milliseconds;

milliseconds seconds(double value) {
  return milliseconds(static_cast<int64_t>(value * 1000));
}

// The address by which this machine reaches another: that of the network in which the others are. Empty where it is
// unknown, or reaches this machine alone, which a name of it may do.
std::string address_towards(const std::string& host, int64_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, &freeaddrinfo);
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    const int descriptor = socket(each->ai_family, each->ai_socktype, each->ai_protocol);
    if (descriptor < 0) continue;
    sockaddr_storage own{};
    socklen_t length = sizeof(own);
    std::array<char, NI_MAXHOST> name{};
    auto* address = reinterpret_cast<sockaddr*>(&own);
    // It sends nothing: a datagram's connection is a choice of the way.
    const bool known = connect(descriptor, each->ai_addr, each->ai_addrlen) == 0 &&
                       getsockname(descriptor, address, &length) == 0 &&
                       getnameinfo(address, length, name.data(), name.size(), nullptr, 0, NI_NUMERICHOST) == 0;
    close(descriptor);
    const std::string text = known ? name.data() : "";
    if (!text.empty() && text.rfind("127.", 0) != 0 && text != "::1") return text;
  }
  return {};
}

class GlooCollective final : public Collective {
 public:
  explicit GlooCollective(const CollectiveSpec& spec)
      : Collective(std::make_shared<RankStore>(spec), spec.rank, spec.size), timeout_(seconds(spec.timeout_seconds)) {
    try {
      store().arrive();
      connect(spec);
    } catch (const Error& error) {
      store().leave(error.what());
      store().linger();
      throw;
    }
  }

  ~GlooCollective() override {
    store().leave("");
    group_.reset();
    store().linger();
  }

  std::unique_ptr<Sum> begin_all_reduce(at::Tensor values) override {
    std::vector<at::Tensor> all = {std::move(values)};
    c10d::AllreduceOptions options;
    options.timeout = timeout_;
    return std::make_unique<GlooSum>(*this, begin([&] { return group_->allreduce(all, options); }));
  }

  at::Tensor all_gather(const at::Tensor& own) override {
    std::vector<int64_t> shape = own.sizes().vec();
    shape.insert(shape.begin(), size());
    // Gloo cuts the output along its first dimension into tensors of the input's shape.
    at::Tensor in = own.contiguous().flatten(), out = at::empty({size() * in.numel()}, own.options());
    c10d::AllgatherOptions options;
    options.timeout = timeout_;
    run([&] { return group_->_allgather_base(out, in, options); });
    return out.view(shape);
  }

  void broadcast(at::Tensor values, int64_t root) override {
    std::vector<at::Tensor> all = {std::move(values)};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    options.timeout = timeout_;
    run([&] { return group_->broadcast(all, options); });
  }

  void barrier() override {
    c10d::BarrierOptions options;
    options.timeout = timeout_;
    run([&] { return group_->barrier(options); });
  }

  void leave(const std::string& why) override { store().leave(why); }

 private:
  using Work = c10::intrusive_ptr<c10d::Work>;

  class GlooSum final : public Sum {
   public:
    GlooSum(GlooCollective& ranks, Work work)
        : ranks_(ranks), work_(std::move(work)), done_(std::make_shared<std::atomic<Clock::time_point>>()) {
      work_->getFuture()->addCallback([done = done_](c10::ivalue::Future&) { *done = Clock::now(); });
    }
    std::optional<Clock::time_point> wait() override {
      ranks_.wait_for(work_);
      const Clock::time_point done = *done_;
      return done == Clock::time_point() ? Clock::now() : done;  // the work may end just before the callback
    }

   private:
    GlooCollective& ranks_;
    Work work_;
    std::shared_ptr<std::atomic<Clock::time_point>> done_;
  };

  void connect(const CollectiveSpec& spec) {
    using c10d::ProcessGroupGloo;
    const char* hint = "). GLOO_SOCKET_IFNAME names the network interface by which they are reached";
    auto options = ProcessGroupGloo::Options::create(store().left_to_join());
    try {
      const bool is_local = spec.host == "localhost" || spec.host.rfind("127.", 0) == 0;
      const std::string address = is_local ? "127.0.0.1" : address_towards(spec.host, spec.port);
      options->devices = {!spec.interface.empty() ? ProcessGroupGloo::createDeviceForInterface(spec.interface)
                          : !address.empty()      ? ProcessGroupGloo::createDeviceForHostname(address)
                                                  : ProcessGroupGloo::createDefaultDevice()};
    } catch (const std::exception& error) {
      fail("ERR_DISTRIBUTED", "Rank ", rank(), " of ", size(), " cannot reach the others (", c10d_reason(error), hint);
    }
    std::string why = "nobody connects";
    try {
      // Gloo waits without limit for a rank that is to connect to this one, but for the store until its timeout.
      auto group = in_time([store = store().store(), rank = static_cast<int>(rank()), size = static_cast<int>(size()),
                            options] { return c10::make_intrusive<ProcessGroupGloo>(store, rank, size, options); },
                           options->timeout + milliseconds(1000));
      if (group) group_ = *group;
    } catch (const std::exception& error) {
      why = c10d_reason(error);
    }
    if (group_ != nullptr) return;
    fail("ERR_DISTRIBUTED", "Rank ", rank(), " of ", size(), " cannot connect to the others: ", store().roll_call(),
         " (", why, hint);
  }

  template <typename Start>
  void run(const Start& start) {
    wait_for(begin(start));
  }

  template <typename Start>
  Work begin(const Start& start) {
    store().check_whole();
    return store().guarded(start);
  }

  void wait_for(const Work& work) {
    store().guarded([&] { return work->wait(); });
  }

  milliseconds timeout_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
};

}  // namespace

std::shared_ptr<Collective> join_gloo(const CollectiveSpec& spec) {
  return std::make_shared<GlooCollective>(spec);
}

}  // namespace st

#endif  // ST_HAVE_C10D
