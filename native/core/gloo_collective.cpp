#include "core/gloo_collective.h"

#include "core/features.h"

#if ST_HAVE_C10D

#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

#include <atomic>
#include <chrono>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"

#define USE_C10D_GLOO 1
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

namespace st {

namespace {

using Clock = Collective::Clock;
using std::chrono::milliseconds;

constexpr milliseconds kPause{10};

milliseconds seconds(double value) {
  return milliseconds(static_cast<int64_t>(value * 1000));
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// What an exception of c10d says, without the place in its source.
std::string reason(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  return first_line(torch_error != nullptr ? torch_error->what_without_backtrace() : error.what());
}

std::string of_ranks(const std::vector<int64_t>& ranks) {
  std::string out = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(ranks[i]);
  return out;
}

class GlooCollective final : public Collective {
 public:
  explicit GlooCollective(const CollectiveSpec& spec)
      : Collective(spec.rank, spec.size), spec_(spec), timeout_(seconds(spec.timeout_seconds)) {
    const auto deadline = Clock::now() + seconds(spec.join_seconds);
    open_store();
    try {
      arrive(deadline);
      connect();
    } catch (const Error& error) {
      leave(error.what());
      linger();
      throw;
    }
  }

  ~GlooCollective() override {
    leave("");
    group_.reset();
    linger();
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

  void leave(const std::string& why) override {
    if (has_left_ || store_ == nullptr) return;
    has_left_ = true;
    try {
      store_->set(key("left", rank()), first_line(why));
    } catch (const std::exception&) {
      // Whoever served the store has ended.
    }
  }

 private:
  using Work = c10::intrusive_ptr<c10d::Work>;

  class GlooSum final : public Sum {
   public:
    GlooSum(GlooCollective& ranks, Work work)
        : ranks_(ranks), work_(std::move(work)), done_(std::make_shared<std::atomic<Clock::time_point>>()) {
      work_->getFuture()->addCallback([done = done_](c10::ivalue::Future&) { *done = Clock::now(); });
    }
    Clock::time_point wait() override {
      ranks_.wait_for(work_);
      const Clock::time_point done = *done_;
      return done == Clock::time_point() ? Clock::now() : done;  // the work may end just before the callback
    }

   private:
    GlooCollective& ranks_;
    Work work_;
    std::shared_ptr<std::atomic<Clock::time_point>> done_;
  };

  std::string place() const { return spec_.host + ":" + std::to_string(spec_.port); }
  Clock::time_point roll_call_end() const { return Clock::now() + seconds(spec_.roll_call_seconds); }
  static std::string key(const char* what, int64_t rank) { return std::string(what) + "/" + std::to_string(rank); }

  void open_store() {
    const bool is_server = rank() == 0 && !spec_.hosted;
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(spec_.port);
    options.isServer = is_server;
    options.waitWorkers = false;
    // It tries twice, with a pause of a second or two.
    options.timeout = seconds(spec_.join_seconds * 0.45);
    try {
      tcp_ = c10::make_intrusive<c10d::TCPStore>(spec_.host, options);
    } catch (const std::exception& error) {
      fail("ERR_DISTRIBUTED", "Rank ", rank(), " of ", size(),
           is_server ? " cannot serve the store at " : " cannot reach the store that rank 0 serves at ", place(), " (",
           reason(error), "). ",
           is_server ? "MASTER_PORT has to be a free port of this machine"
                     : "MASTER_ADDR and MASTER_PORT have to name the machine of rank 0, which has to run");
    }
    store_ = c10::make_intrusive<c10d::PrefixStore>(spec_.prefix, tcp_);
  }

  // The store lives as long as others read it.
  void linger() {
    if (rank() == 0 && !spec_.hosted) wait_until([&] { return silent("left").empty(); }, roll_call_end());
  }

  // Ranks that have not written this kind of key.
  std::vector<int64_t> silent(const char* what) {
    std::vector<int64_t> out;
    for (int64_t other = 0; other < size(); ++other) {
      if (!store_->check({key(what, other)})) out.push_back(other);
    }
    return out;
  }

  // Whether the condition was met before the deadline. The store may have ended: then it was not.
  template <typename Condition>
  static bool wait_until(const Condition& condition, Clock::time_point deadline) {
    try {
      while (!condition()) {
        if (Clock::now() > deadline) return false;
        std::this_thread::sleep_for(kPause);
      }
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

  // Waits until all ranks are here.
  void arrive(Clock::time_point deadline) {
    refuse_unless(rank() >= 0 && rank() < size(), "RANK is ", rank(), " where WORLD_SIZE is ", size(),
                  ": ranks are numbers from 0 to ", size() - 1);
    const bool is_first = call([&] { return store_->add(key("arrivals", rank()), 1); }) == 1;
    refuse_unless(is_first, "two processes have RANK ", rank());
    call([&] {
      store_->set(key("arrived", rank()), std::to_string(size()));
      return 0;
    });
    std::string refusal;
    const bool all_here = wait_until(
        [&] {
          if (store_->check({"refusal"})) refusal = store_->get_to_str("refusal");
          return !refusal.empty() || silent("arrived").empty();
        },
        deadline);
    check(refusal.empty(), "ERR_DISTRIBUTED", "Rank ", rank(), " of ", size(), " cannot train: ", refusal);
    if (all_here) {
      for (int64_t other = 0; other < size(); ++other) {
        const std::string theirs = call([&] { return store_->get_to_str(key("arrived", other)); });
        refuse_unless(theirs == std::to_string(size()), "WORLD_SIZE is ", size(), " at rank ", rank(), " and ", theirs,
                      " at rank ", other);
      }
      return;
    }
    const std::vector<int64_t> missing = call([&] { return silent("arrived"); });
    fail("ERR_DISTRIBUTED", "Rank ", rank(), " of ", size(), " waited ", spec_.join_seconds, " s at ", place(), " for ",
         of_ranks(missing),
         ". Each needs MASTER_ADDR, MASTER_PORT, WORLD_SIZE and a RANK of its own. "
         "SENTENCE_TORCH_JOIN_SECONDS makes the wait longer");
  }

  // Throws, and tells the others, who throw too.
  template <typename... Parts>
  void refuse_unless(bool condition, const Parts&... parts) {
    if (condition) return;
    std::ostringstream text;
    (text << ... << parts);
    call([&] {
      store_->set("refusal", text.str());
      return 0;
    });
    fail("ERR_DISTRIBUTED", "Rank ", rank(), " of ", size(), " cannot train: ", text.str());
  }

  // An operation of the store.
  template <typename Work>
  auto call(const Work& work) -> decltype(work()) {
    try {
      return work();
    } catch (const std::exception& error) {
      fail("ERR_DISTRIBUTED", "Rank ", rank(), " of ", size(), " lost the store at ", place(), " (", reason(error),
           ")");
    }
  }

  void connect() {
    using c10d::ProcessGroupGloo;
    try {
      auto options = ProcessGroupGloo::Options::create(seconds(spec_.join_seconds));
      const bool is_local = spec_.host == "localhost" || spec_.host.rfind("127.", 0) == 0;
      options->devices = {!spec_.interface.empty() ? ProcessGroupGloo::createDeviceForInterface(spec_.interface)
                          : is_local               ? ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                                   : ProcessGroupGloo::createDefaultDevice()};
      group_ =
          c10::make_intrusive<ProcessGroupGloo>(store_, static_cast<int>(rank()), static_cast<int>(size()), options);
    } catch (const std::exception& error) {
      fail("ERR_DISTRIBUTED", "Rank ", rank(), " of ", size(), " cannot connect to the others (", reason(error),
           "). GLOO_SOCKET_IFNAME names the network interface where this machine has several");
    }
  }

  template <typename Start>
  void run(const Start& start) {
    wait_for(begin(start));
  }

  template <typename Start>
  Work begin(const Start& start) {
    check(!is_broken_, "ERR_DISTRIBUTED", "Rank ", rank(), " of ", size(), " has lost the others");
    return guarded(start);
  }

  void wait_for(const Work& work) {
    guarded([&] { return work->wait(); });
  }

  // A call of c10d. Where it fails, says who is lost.
  template <typename Call>
  auto guarded(const Call& call) -> decltype(call()) {
    std::string why;
    try {
      return call();
    } catch (const std::exception& error) {
      why = reason(error);
    }
    is_broken_ = true;
    fail("ERR_DISTRIBUTED", "Rank ", rank(), " of ", size(), ": ", roll_call(), " (", why, ")");
  }

  // Who is missing. Every rank that has lost the others says so. Who says nothing, or that it ends, is the cause.
  std::string roll_call() {
    try {
      store_->set(key("alive", rank()), "1");
      wait_until(
          [&] {
            for (const int64_t other : silent("alive")) {
              if (!store_->check({key("left", other)})) return false;
            }
            return true;
          },
          roll_call_end());
      std::vector<int64_t> lost;
      for (const int64_t other : silent("alive")) {
        if (!store_->check({key("left", other)})) {
          lost.push_back(other);
          continue;
        }
        const std::string why = store_->get_to_str(key("left", other));
        return "rank " + std::to_string(other) + " has ended" + (why.empty() ? "" : ": " + why);
      }
      if (!lost.empty()) return of_ranks(lost) + (lost.size() == 1 ? " is lost" : " are lost");
      return "the connection to another rank broke, or a rank took longer than the timeout of " +
             std::to_string(timeout_.count() / 1000) + " s";
    } catch (const std::exception&) {
      return spec_.hosted ? "the launcher, which serves the store at " + place() + ", is lost"
                          : "rank 0, which serves the store at " + place() + ", is lost";
    }
  }

  CollectiveSpec spec_;
  milliseconds timeout_;
  c10::intrusive_ptr<c10d::TCPStore> tcp_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  bool is_broken_ = false, has_left_ = false;
};

}  // namespace

std::shared_ptr<Collective> join_gloo(const CollectiveSpec& spec) {
  return std::make_shared<GlooCollective>(spec);
}

}  // namespace st

#endif  // ST_HAVE_C10D
