// The watch over what devices compute together, with work that is none.
#include "core/device_watch.h"

#include <atomic>
#include <stdexcept>
#include <thread>

#include "core/features.h"
#include "support.h"

namespace st::test {

namespace {

#if ST_HAVE_C10D

using std::chrono::milliseconds;

constexpr milliseconds kLong{20000};

// What the functions of a watch see and do. They may outlive the test.
struct World {
  std::atomic<int> done{0}, given_up{0}, asked{0};
  std::atomic<bool> trouble{false}, hangs{false};
};

DeviceWatch::Rules rules_of(const std::shared_ptr<World>& world, milliseconds timeout = kLong,
                            milliseconds patience = kLong) {
  return {.timeout = timeout,
          .patience = patience,
          .pause = milliseconds(5),
          .trouble =
              [world] {
                ++world->asked;
                while (world->hangs) std::this_thread::sleep_for(milliseconds(10));
                return world->trouble.load();
              },
          .give_up = [world] { ++world->given_up; }};
}

// Work that is done when `world->done` reaches this number.
std::function<bool()> work(const std::shared_ptr<World>& world, int number) {
  return [world, number] { return world->done >= number; };
}

TEST(DeviceWatch, LetsWorkEnd) {
  const auto world = std::make_shared<World>();
  DeviceWatch watch(rules_of(world));
  EXPECT_TRUE(watch.wait_all(milliseconds(0)));
  watch.add(work(world, 1));
  watch.add(work(world, 2));
  EXPECT_FALSE(watch.wait_all(milliseconds(20)));
  world->done = 1;
  EXPECT_FALSE(watch.wait_all(milliseconds(20)));
  world->done = 2;
  EXPECT_TRUE(watch.wait_all(kLong));
  EXPECT_EQ(watch.failure(), "");
  EXPECT_EQ(world->given_up, 0);
  EXPECT_EQ(world->asked, 0);
}

// The timeout is that of one piece of work, not of all that is queued.
TEST(DeviceWatch, GivesUpWhatTakesTooLong) {
  const auto world = std::make_shared<World>();
  DeviceWatch watch(rules_of(world, milliseconds(1000)));
  for (int number = 1; number <= 5; ++number) watch.add(work(world, number));
  for (int number = 1; number <= 4; ++number) {
    std::this_thread::sleep_for(milliseconds(300));
    world->done = number;
    EXPECT_EQ(watch.failure(), "");
  }
  EXPECT_FALSE(watch.wait_all(kLong));
  EXPECT_EQ(watch.failure(), "what the devices compute together took longer than the timeout of 1 s");
  watch.give_up("anything else", kLong);
  EXPECT_EQ(world->given_up, 1) << "once";
}

TEST(DeviceWatch, GivesUpWhatHasFailed) {
  const auto world = std::make_shared<World>();
  DeviceWatch watch(rules_of(world));
  watch.add(work(world, 1));
  watch.add([]() -> bool { throw std::runtime_error("NCCL error: no cable\nplugged in"); });
  EXPECT_EQ(watch.failure(), "");
  world->done = 1;
  EXPECT_FALSE(watch.wait_all(kLong));
  EXPECT_EQ(watch.failure(), "NCCL error: no cable plugged in");
  watch.give_up("", kLong);
  EXPECT_EQ(world->given_up, 1);
}

TEST(DeviceWatch, AsksWhetherRanksAreInTroubleOnceItIsImpatient) {
  const auto world = std::make_shared<World>();
  DeviceWatch watch(rules_of(world, kLong, milliseconds(50)));
  watch.add(work(world, 1));
  while (world->asked == 0) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(watch.failure(), "");
  world->trouble = true;
  EXPECT_FALSE(watch.wait_all(kLong));
  EXPECT_EQ(watch.failure(), "another rank has ended or has lost the others");
}

TEST(DeviceWatch, AStoreThatDoesNotAnswerIsATrouble) {
  const auto world = std::make_shared<World>();
  world->hangs = true;
  DeviceWatch watch(rules_of(world, kLong, milliseconds(50)));
  watch.add(work(world, 1));
  EXPECT_FALSE(watch.wait_all(kLong));
  EXPECT_NE(watch.failure(), "");
  world->hangs = false;
}

TEST(DeviceWatch, IsToldToGiveUpAndDoesNotWaitForWhatHangs) {
  const auto world = std::make_shared<World>();
  DeviceWatch::Rules rules = rules_of(world);
  rules.give_up = [world] {
    world->hangs = true;
    while (world->hangs) std::this_thread::sleep_for(milliseconds(10));
  };
  {
    DeviceWatch watch(std::move(rules));
    watch.add(work(world, 1));
    watch.give_up("no power", milliseconds(50));
    EXPECT_EQ(watch.failure(), "no power");
    EXPECT_FALSE(watch.wait_all(kLong));
    while (!world->hangs) std::this_thread::sleep_for(milliseconds(5));
  }
  world->hangs = false;
}

TEST(DeviceWatch, GivesNothingUpOnceItIsGone) {
  const auto world = std::make_shared<World>();
  {
    DeviceWatch watch(rules_of(world, milliseconds(100)));
    watch.add(work(world, 1));
  }
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_EQ(world->given_up, 0);
}

#endif

}  // namespace

}  // namespace st::test
