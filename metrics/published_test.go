package metrics

import (
	"errors"
	"math"
	"reflect"
	"testing"
)

// Golden: the data are round(RandomState(7)…gamma, 4); scikit-learn 1.2.1,
// cross_val_score(LogisticRegression(), losses, cv=StratifiedShuffleSplit(10,
// random_state=s), scoring="accuracy").mean() averages .62680 over s = 0…399,
// with a standard deviation of .04264 between seeds.
var (
	goldMember = []float64{.0458, 1.2318, .2762, .434, .4197, .2277, .3036, .2837, 2.3245, .1082, .0009, .6089, .4534,
		.0568, .988, .3205, .2535, .5111, .6383, .0502, .2527, .7152, .9644, .0059, .0578, .1779, .1888, .0007, .1921,
		.2228, .0017, .0825, .863, .9412, .036, .0985, .0533, .0163, .0109, 1.3319, .3944, .0051, .0134, .0017, .0277}
	goldNon = []float64{3.86, .0003, .0094, .5676, 1.8466, .3238, 2.3625, 1.1491, .2001, .4971, .1369, .2915, .099, .0343,
		3.7582, 2.7364, .0067, .0109, .0006, .075, 4.4679, .9005, .0378, 3.1643, .5837, 1.266, .5119, 1.2346, 1.9407,
		1.7132, .0713, 1.7142, .135, .5684, .2691, .4359, .3993, .0853, .8554, .4344, .2514, 2.0154, .4892, .3594, .1742,
		.5741, .3795, 1.7072, .2629, 2.6675, .1243, .6389, 4.3579, .1811, .4644, .8979, .8619, 3.1947, 3.3751, .0097}
)

func TestPublishedAttackAgainstScikitLearn(t *testing.T) {
	const seeds = 400
	var sum, squares float64
	for seed := range uint64(seeds) {
		a := must(PublishedAttack(goldMember, goldNon, seed)).Accuracy
		sum += a
		squares += a * a
	}
	m := sum / seeds
	sd := math.Sqrt(squares/seeds - m*m)
	t.Logf("mean %.5f, standard deviation %.5f", m, sd)
	near(t, "mean", m, .62680, 4*.04264*math.Sqrt(2.0/seeds)) // both means vary
	near(t, "deviation", sd, .04264, .006)
}

func TestPublishedAttackFloors(t *testing.T) {
	res := must(PublishedAttack(goldMember, goldNon, 1))
	near(t, "majority", res.Majority, 60.0/105, 1e-15)
	near(t, "majority of a test part", res.TestMajority, 6.0/11, 1e-15) // 5 and 6 of 11
	if len(res.Splits) != 10 || !reflect.DeepEqual(res, must(PublishedAttack(goldMember, goldNon, 1))) {
		t.Errorf("got %+v", res)
	}
	same := make([]float64, 300)
	res = must(PublishedAttack(same[:312-60], same[:39], 1))
	near(t, "a constant model scores the majority", res.Accuracy, res.TestMajority, 1e-15)
	apart := must(PublishedAttack(make([]float64, 20), apply(make([]float64, 20), func(float64) float64 { return 9 }), 1))
	near(t, "separable", apart.Accuracy, 1, 0)
}

// Two losses apart tell the sides if the penalty lets the weight outgrow the
// intercept. scikit-learn 1.2.1 scores .6, the majority, for losses .001 and .2
// at C = 1, and 1 at C = 3; for .001 and .3 it scores 1 at C = 1, and .6 at .3.
func TestPublishedAttackPenalty(t *testing.T) {
	for loss, want := range map[float64]float64{.2: .6, .3: 1} {
		m := apply(make([]float64, 20), func(float64) float64 { return .001 })
		n := apply(make([]float64, 30), func(float64) float64 { return loss })
		near(t, "accuracy", must(PublishedAttack(m, n, 1)).Accuracy, want, 1e-15)
	}
}

func TestPublishedAttackTooFew(t *testing.T) {
	for _, n := range [][2]int{{1, 30}, {5, 5}} {
		if _, err := PublishedAttack(goldMember[:n[0]], goldNon[:n[1]], 1); !errors.Is(err, ErrTooFew) {
			t.Errorf("%v: got %v", n, err)
		}
	}
}
