#include "core/nccl_collective.h"

#include "core/features.h"

#if ST_HAVE_NCCL

#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <c10/cuda/CUDAGuard.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/device_watch.h"
#include "core/error.h"
#include "core/in_time.h"
#include "core/rank_store.h"

#define USE_C10D_NCCL 1
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

namespace st {

namespace {

using Clock = Collective::Clock;
using std::chrono::milliseconds;

// Until all have made the communicator, beside the time to join: on many machines that takes NCCL a while.
constexpr milliseconds kConnects{60000};
constexpr milliseconds kEnds{10000};
constexpr milliseconds kAllTime = std::chrono::hours(24 * 365);

milliseconds seconds(double value) {
  return milliseconds(static_cast<int64_t>(value * 1000));
}

// What c10d reads when a group is made and makes its first sum. Its own watchdog would write a file about what was
// lost, wait for a minute, and abort the process; that the host waits itself switches the watchdog off
// (core/device_watch.h takes its place). Its record of all calls would keep the events of each.
class GroupVariables {
 public:
  GroupVariables() {
    for (Variable& each : all_) {
      const char* before = std::getenv(each.name);
      if (before != nullptr) each.before = before;
      setenv(each.name, each.value, 1);
    }
  }
  ~GroupVariables() {
    for (const Variable& each : all_) {
      if (each.before) {
        setenv(each.name, each.before->c_str(), 1);
      } else {
        unsetenv(each.name);
      }
    }
  }
  GroupVariables(const GroupVariables&) = delete;
  GroupVariables& operator=(const GroupVariables&) = delete;

 private:
  struct Variable {
    const char *name, *value;
    std::optional<std::string> before = {};
  };
  Variable all_[3] = {
      {"TORCH_NCCL_BLOCKING_WAIT", "1"}, {"TORCH_NCCL_TRACE_BUFFER_SIZE", "0"}, {"TORCH_FR_BUFFER_SIZE", "0"}};
};

class NcclCollective final : public Collective {
 public:
  NcclCollective(std::shared_ptr<Collective> host, std::shared_ptr<RankStore> store, at::Device device)
      : Collective(store, host->rank(), host->size()),
        host_(std::move(host)),
        device_(device),
        timeout_(seconds(store->spec().timeout_seconds)),
        patience_(seconds(store->spec().roll_call_seconds)) {
    connect();
    watch_.emplace(DeviceWatch::Rules{.timeout = timeout_,
                                      .patience = patience_,
                                      .pause = milliseconds(100),
                                      .trouble = store->trouble(),
                                      .give_up = [group = group_] { group->abort(); }});
  }

  ~NcclCollective() override { end(); }

  bool takes(at::Device device) const override { return device.is_cpu() || device == device_; }

  std::unique_ptr<Sum> begin_all_reduce(at::Tensor values) override {
    if (values.is_cpu()) {
      return std::make_unique<HostSum>(*this, on_host([&] { return host_->begin_all_reduce(std::move(values)); }));
    }
    std::vector<at::Tensor> all = {std::move(values)};
    return std::make_unique<NcclSum>(*this, begin([&] { return group_->allreduce(all); }));
  }

  at::Tensor all_gather(const at::Tensor& own) override {
    if (own.is_cpu()) return on_host([&] { return host_->all_gather(own); });
    std::vector<int64_t> shape = own.sizes().vec();
    shape.insert(shape.begin(), size());
    at::Tensor in = own.contiguous(), out = at::empty(shape, own.options());
    wait_for(begin([&] { return group_->_allgather_base(out, in); }));
    return out;
  }

  void broadcast(at::Tensor values, int64_t root) override {
    if (values.is_cpu()) return on_host([&] { host_->broadcast(std::move(values), root); });
    std::vector<at::Tensor> all = {std::move(values)};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    wait_for(begin([&] { return group_->broadcast(all, options); }));
  }

  void barrier() override {
    on_host([&] { host_->barrier(); });
  }

  void settle() override {
    store().check_whole();
    if (!watch_->wait_all(kAllTime)) lost();
  }

  void leave(const std::string& why) override {
    if (!why.empty()) {
      host_->leave(why);
      watch_->give_up(why, kEnds);
      return;
    }
    // The communicator ends once the devices of all ranks have done their work: it may pass through this one.
    try {
      if (watch_->wait_all(kAllTime)) host_->barrier();
    } catch (const std::exception& error) {
      watch_->give_up(error.what(), kEnds);
    }
    end();
    host_->leave(why);
  }

 private:
  using Work = c10::intrusive_ptr<c10d::Work>;
  using Group = c10::intrusive_ptr<c10d::ProcessGroupNCCL>;

  class NcclSum final : public Sum {
   public:
    NcclSum(NcclCollective& ranks, Work work) : ranks_(ranks), work_(std::move(work)) {}
    std::optional<Clock::time_point> wait() override {
      ranks_.wait_for(work_);
      return std::nullopt;
    }

   private:
    NcclCollective& ranks_;
    Work work_;
  };

  // Of the host.
  class HostSum final : public Sum {
   public:
    HostSum(NcclCollective& ranks, std::unique_ptr<Sum> sum) : ranks_(ranks), sum_(std::move(sum)) {}
    std::optional<Clock::time_point> wait() override {
      return ranks_.on_host([&] { return sum_->wait(); });
    }

   private:
    NcclCollective& ranks_;
    std::unique_ptr<Sum> sum_;
  };

  void connect() {
    const GroupVariables variables;
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = timeout_;
    std::string why = "not all ranks came in time";
    try {
      group_ =
          c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>("nccl", store().store()),
                                                      static_cast<int>(rank()), static_cast<int>(size()), options);
      // NCCL waits without limit for a rank that has ended. It makes the communicator at the first sum.
      const auto made = in_time(
          [group = group_, device = device_] {
            const c10::cuda::CUDAGuard guard(device);
            std::vector<at::Tensor> number = {at::empty({1}, at::TensorOptions().dtype(at::kFloat).device(device))};
            number[0].zero_();
            group->allreduce(number)->synchronize();
            c10::cuda::getCurrentCUDAStream(device.index()).synchronize();
            return true;
          },
          std::max(kConnects, store().left_to_join()));
      if (made) return;
    } catch (const std::exception& error) {
      why = c10d_reason(error);
    }
    abort();
    store().lost("NCCL cannot connect " + device_.str() + " to the devices of the others: " + why +
                 ". NCCL_DEBUG=INFO shows what it tries");
  }

  void abort() {
    if (group_ == nullptr) return;
    try {
      in_time([group = group_] { return group->abort(), true; }, kEnds);
    } catch (const std::exception&) {
      // It has never begun.
    }
  }

  // Once: with the work done, or by force. What hangs is left behind.
  void end() {
    if (group_ == nullptr) return;
    if (watch_->wait_all(patience_)) {
      bool has_ended = false;
      try {
        has_ended = in_time([group = group_] { return group->shutdown(), true; }, kEnds).has_value();
      } catch (const std::exception&) {
        // Then by force.
      }
      if (!has_ended) watch_->give_up("the communicator does not end", kEnds);
    } else {
      watch_->give_up("the rank ends", kEnds);
    }
    group_.reset();
  }

  template <typename Start>
  Work begin(const Start& start) {
    store().check_whole();
    if (!watch_->failure().empty()) lost();
    Work work = or_give_up([&] { return store().guarded(start); });
    watch_->add([work, device = device_] {
      const c10::cuda::CUDAGuard guard(device);
      // Beside a recording on another stream.
      const c10::cuda::CUDAStreamCaptureModeGuard mode(cudaStreamCaptureModeThreadLocal);
      if (!work->isCompleted()) return false;
      if (work->exception() != nullptr) std::rethrow_exception(work->exception());
      return true;
    });
    return work;
  }

  // The current stream waits, and not the host.
  void wait_for(const Work& work) {
    if (!watch_->failure().empty()) lost();
    or_give_up([&] { store().guarded([&] { work->synchronize(); }); });
  }

  template <typename Call>
  auto on_host(const Call& call) -> decltype(call()) {
    return or_give_up(call);
  }

  // Who has lost the others does not let its device wait for them.
  template <typename Call>
  auto or_give_up(const Call& call) -> decltype(call()) {
    try {
      return call();
    } catch (const std::exception& error) {
      watch_->give_up(error.what(), milliseconds(0));
      throw;
    }
  }

  [[noreturn]] void lost() { store().lost(watch_->failure()); }

  std::shared_ptr<Collective> host_;
  at::Device device_;
  milliseconds timeout_, patience_;
  Group group_;
  std::optional<DeviceWatch> watch_;
};

}  // namespace

std::shared_ptr<Collective> join_nccl(std::shared_ptr<Collective> host, std::shared_ptr<RankStore> store,
                                      at::Device device) {
  return std::make_shared<NcclCollective>(std::move(host), std::move(store), device);
}

}  // namespace st

#endif  // ST_HAVE_NCCL
