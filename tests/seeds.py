"""Reference numbers of the seed networks, computed without the package under test.

Floats are the repr of float64 unless a fraction is given; the last one or two digits depend on the
tanh and on the order of summation, so tests compare with RTOL. Numbers and facts only.
"""

from fractions import Fraction

RTOL = 1e-12  # relative tolerance for full-precision floats of this file

# --- 1. The perceptron tanh(w z + b) on 14 ages, squared error of one sample ------------------

AGES = (21, 57, 23, 75, 15, 90, 39, 46, 10, 26, 77, 36, 16, 19)  # inputs, in file order
PROBABILITIES = (  # targets, in file order, full precision
    0.16257491909664504,
    0.4498912027529245,
    0.17450833117876016,
    0.531685242634573,
    0.1862944760997236,
    0.5723139374289526,
    0.33334961096655963,
    0.3442800291772686,
    0.1450107473774238,
    0.19879042910822511,
    0.5717675652170906,
    0.3285269754996645,
    0.16914684898481053,
    0.12500664046884424,
)

AGE_SUM = 550  # sum of the ages
AGE_MEAN_EXACT = Fraction(275, 7)  # mean of the ages
AGE_MEAN = 39.285714285714285  # the same as a float
AGE_VARIANCE = Fraction(30859, 49)  # population variance (divides by n)
AGE_STD = 25.095328453799556  # population standard deviation, the one used
AGE_STD_SAMPLE = 26.042653094870733  # sample standard deviation (n - 1), not used
FIRST_Z = -0.7286501278267086  # standardised first age, 21
FIRST_Z_PRINTED = -0.729  # the same, as printed (3 decimals)

START = (0.3, -0.7)  # w, b at the start
LEARNING_RATE = 0.05  # of the perceptron's training
EPOCHS = 10  # passes over the samples in file order

FIRST_PREACTIVATION = -0.9185950383480125  # w z + b, first sample, at the start
FIRST_PREDICTION = -0.7252320874036392  # its tanh
FIRST_LOSS = 0.7882012807909957  # squared error of the first sample at the start
FIRST_LOSS_PRINTED = 0.788  # the same, as printed
FIRST_LOSS_ROUNDED = 0.7890446263355065  # what -0.729 and 0.163 would give instead
FIRST_TARGET_ROUNDED = 0.163  # the first target, as printed
FIRST_GRADIENT = (0.6133115600285935, -0.841709260187565)  # dL/dw, dL/db, first sample, start

STEP_SIMULTANEOUS = (0.26933442199857033, -0.6579145369906217)  # w, b after the first sample
STEP_SIMULTANEOUS_LOSS = 0.7324177295435083  # first sample's loss there
STEP_SEQUENTIAL = (0.26933442199857033, -0.6570655838198118)  # b moved with the new w
STEP_SEQUENTIAL_LOSS = 0.7316627155841994  # first sample's loss there

START_MEAN_LOSS = 0.7771462416487382  # mean over the 14 samples at the start
START_MEAN_GRADIENT = (-0.2570690246872563, -1.0796783730657187)  # its gradient (w, b)

THREE_STEPS_SEQUENTIAL = (  # w, b after samples 1, 2, 3
    (0.26933442199857033, -0.6570655838198118),
    (0.3199796465939809, -0.5855801303703325),
    (0.28942237993143805, -0.5379108116617468),
)
THREE_STEPS_SIMULTANEOUS = (  # w, b after samples 1, 2, 3
    (0.26933442199857033, -0.6579145369906217),
    (0.3199814493816444, -0.5861643231865269),
    (0.2894357255009872, -0.5390951581382012),
)

EPOCH_DECIMALS = (15, 15, 12)  # printed decimals of w, b and mean loss in the next two tables
EPOCHS_SEQUENTIAL = (  # w, b, mean loss after epochs 1 .. 10
    (0.288283745863274, -0.044578577617424, 0.139237545383),
    (0.197918661943389, 0.223754140649475, 0.010518233873),
    (0.182286774456821, 0.295097981735190, 0.001726236650),
    (0.182442610824511, 0.316207262793599, 0.000976771904),
    (0.184367798550767, 0.323180404171277, 0.000887039848),
    (0.185753712503438, 0.325705607386206, 0.000873392017),
    (0.186531045236061, 0.326695052993488, 0.000871301666),
    (0.186928927212982, 0.327107497363393, 0.000871148213),
    (0.187124079234587, 0.327287113723167, 0.000871254641),
    (0.187217718036249, 0.327367593856949, 0.000871344971),
)
EPOCHS_SIMULTANEOUS = (  # w, b, mean loss after epochs 1 .. 10
    (0.285174527010321, -0.022666280762738, 0.124485753912),
    (0.198418674788165, 0.238272258567519, 0.008098440085),
    (0.183960784721606, 0.301968494179477, 0.001413674473),
    (0.183822352183146, 0.319351800593335, 0.000927942946),
    (0.185279185165724, 0.324686436423298, 0.000877824268),
    (0.186321652303408, 0.326502026895020, 0.000871440940),
    (0.186893118969147, 0.327180364056631, 0.000870862335),
    (0.187178526038066, 0.327453455013952, 0.000871032828),
    (0.187315235452376, 0.327569314283363, 0.000871202723),
    (0.187379379912228, 0.327620128086459, 0.000871300908),
)

FINAL_SEQUENTIAL = (0.1872177180362486, 0.3273675938569492)  # w, b after ten epochs
FINAL_SEQUENTIAL_LONG = (  # w, b from 40-digit arithmetic on the exact decimals
    "0.18721771803624859806",
    "0.32736759385694915964",
)
NEW_AGE = 30  # the age to predict for
NEW_Z = -0.37001764303700047  # standardised
PREDICTION_SEQUENTIAL = 0.25251167609059105  # trained output there
PREDICTION_SEQUENTIAL_LONG = "0.25251167609059099082"  # from 40-digit arithmetic
PREDICTION_SIMULTANEOUS = 0.2526920957751099  # trained output there, simultaneous order
TRAINED_OUTPUTS = (  # 14 trained outputs, sequential order, 6 decimals
    0.188664,
    0.429694,
    0.203012,
    0.532627,
    0.145157,
    0.607979,
    0.314234,
    0.360498,
    0.10846,
    0.22437,
    0.54323,
    0.293923,
    0.152452,
    0.174235,
)

OPTIMUM = (0.18511193414274835, 0.3283461433633887)  # w, b of least squares
OPTIMUM_LOSS = 0.0008669862826207687  # mean loss there
OPTIMUM_PREDICTION = 0.254156594577236  # at the new age
FULL_BATCH_STEPS = 140  # steps on the mean loss, same learning rate
FULL_BATCH = (0.18501173252032851, 0.3282764515683446)  # w, b after them
FULL_BATCH_LOSS = 0.0008669939351240906  # mean loss there

LOSS_RISES_AFTER_SEQUENTIAL = 8  # epoch after which the mean loss rises again
LOSS_RISES_AFTER_SIMULTANEOUS = 7  # the same, simultaneous order

TANH_OVERFLOWS_FROM = 710  # the quotient of exponentials raises OverflowError from this |v|

RAW_OPTIMUM = (0.007376350322871406, 0.03856095210772631)  # w / std, b - w mean / std
RAW_OUTPUT_RANGE = (0.980096, 1.0)  # smallest and largest output on raw ages, at the start
RAW_FIRST_GRADIENT = (0.00192367, 0.0000916034)  # first sample's gradient on raw ages, 6 digits

# --- 2. The line y = w x + b on eight points, L2 = sum of squares / 2, L1 = sum of absolutes --

LINE_X = (1, 2, 3, 4, 5, 6, 7, 8)  # inputs
LINE_Y = ("0.85", "1.43", "1.92", "2.59", "3.20", "3.82", "4.38", "4.97")  # targets, exact decimals
LINE_N = 8  # number of points
LINE_SX = 36  # sum of x
LINE_SXX = 204  # sum of x^2
LINE_SY = Fraction(579, 25)  # sum of y
LINE_SXY = Fraction(12917, 100)  # sum of x y
LINE_SYY = Fraction(204699, 2500)  # sum of y^2

LINE_START = (1, 0)  # w, b at the start
LINE_LOSSES = (  # w, b, L2, L1, (dL2/dw, dL2/db); decimals as text, so that they are exact
    ("1", "0", Fraction(68849, 5000), "12.84", ("74.83", "12.84")),
    ("0", "0", Fraction(204699, 5000), "23.16", ("-129.17", "-23.16")),
    ("2", "1", Fraction(1217199, 5000), "56.84", ("314.83", "56.84")),
    ("0.6", "0.2", Fraction(29, 5000), "0.24", ("0.43", "0.04")),
    ("-2.5", "15", Fraction(127478, 625), "49.58", ("-99.17", "6.84")),
)
LINE_OPTIMUM = (Fraction(499, 840), Fraction(621, 2800))  # w, b with gradient exactly zero
LINE_OPTIMUM_FLOAT = (0.594047619047619, 0.22178571428571428)  # the same as floats
LINE_OPTIMUM_LOSS = Fraction(4163, 840000)  # L2 there
LINE_OPTIMUM_LOSS_FLOAT = 0.004955952380952381  # the same as a float
LINE_OPTIMUM_MEAN_SQUARE = 0.0012389880952380953  # mean square there

LINE_FIT = ("0.6", "0.2")  # w, b that predict the next table
LINE_PREDICTIONS = (("-3", "-1.6"), ("6.28", "3.968"))  # x, y
LINE_HESSIAN = ((204, 36), (36, 8))  # of L2
LINE_EIGENVALUES = (210.4030650891055, 1.596934910894504)  # of the Hessian
LINE_CONDITION = 131.75431487764942  # their quotient
LINE_LARGEST_STABLE_RATE = 0.009505564945800585  # 2 / largest eigenvalue
LINE_FASTEST_RATE = 0.009433962264150943  # 1 / 106
LINE_DESCENT = (  # rate, steps, w, b, L2; simultaneous, from the start; 0.01 diverges
    (0.01, 1, 0.2517, -0.1284, 16.76593794),
    (0.01, 2, 1.076156, 0.02286, 20.418412646432),
    (0.01, 10, 1.592992750775303, 0.14918558270855214, 99.20011171338527),
    (0.001, 1, 0.92517, -0.01284, 8.6118063294),
    (0.001, 10, 0.6773966930480585, -0.0527179381993181, 0.1912994144408095),
    (0.001, 100, 0.6372474224786283, -0.021096858536547573, 0.05354921828611519),
    (0.001, 1000, 0.6042993412483887, 0.16414738106688623, 0.0076925201403763915),
    (0.001, 10000, 0.5940476248545601, 0.22178568163730705, 0.0049559523809532486),
    (0.005, 100, 0.616784420105698, 0.0939524302724808, 0.01841676476800717),
)

HIDDEN_POINTS = (-10, 0, 1, 5.5, 10)  # inputs of the next table
HIDDEN_NETS = (  # wi, b, wo, outputs at the points, slope at 1; y = sum wo sigmoid(wi x + b)
    (
        (1,),
        (0,),
        (6.28,),
        (0.000285098615451288, 3.14, 4.591047873796431, 6.254439535144172, 6.279714901384549),
        1.2347229407565,
    ),
    (
        (-1.5, 1.5),
        (-8, -8),
        (-5, 5),
        (-4.995444743514903, 0, 0.007131680146131902, 2.810882066216618, 4.995444743514903),
        0.011803270005914,
    ),
    (
        (0.2, -0.5, 1.9, -0.8),
        (1, -5.7, 0, 7.1),
        (7.2, 9.7, -6.3, -6.3),
        (
            -1.145041447676592,
            -4.148836727457746,
            -6.215745047208698,
            -5.786508210290704,
            -1.262265704075729,
        ),
        -1.0991815388381,
    ),
)

# --- 3. The 3-2-2 sigmoid net without biases, columns, S = sum of squared errors --------------

SMALL_SIZES = (3, 2, 2)  # inputs, hidden, outputs
SMALL_X = (1, 0.5, -1)  # the sample
SMALL_Y = (1, 0)  # its target
SMALL_W1 = ((0.1, -0.2, 0.3), (0.4, 0.5, -0.6))  # units x inputs
SMALL_W2 = ((0.7, -0.8), (0.9, 0.25))  # units x inputs
SMALL_Z2 = (-0.3, 1.25)  # W1 x
SMALL_X2 = (0.425557483188341, 0.7772998611746911)  # its sigmoid
SMALL_Z3 = (-0.3239496507079142, 0.5773267001631797)  # W2 x2
SMALL_X3 = (0.419713490436609, 0.6404520483829322)  # its sigmoid, the output
SMALL_S = 0.7469112594591572  # sum of squared errors
SMALL_MEAN = 0.3734556297295786  # mean squared error
SMALL_D3 = (-0.2826622897474406, 0.2949579135698196)  # dS/dz3
SMALL_D2 = (0.0165250199227829, 0.05190881306609749)  # dS/dz2
SMALL_GRADIENT_W1 = (  # dS/dW1
    (0.0165250199227829, 0.008262509961391451, -0.0165250199227829),
    (0.05190881306609749, 0.02595440653304874, -0.05190881306609749),
)
SMALL_GRADIENT_W2 = (  # dS/dW2
    (-0.1202890526171744, -0.2197133585800059),
    (0.1255215473452566, 0.2292707452701973),
)
SMALL_STEP_RATE = 0.1  # learning rate of the next line
SMALL_S_AFTER_STEP = 0.7331953450310131  # S after one step on all ten weights
SMALL_S_MISPRINT = 0.7402110160080869  # S with w_22 of layer 2 where w_22 of layer 1 is meant
SMALL_SLOPE_OPERATIONS = 183  # operations of the written-out dS/dw11 of layer 1
SMALL_SLOPE_LATEX = 1637  # its characters in LaTeX, which depend on the names of the symbols
SMALL_ALL_OPERATIONS = 1418  # operations of all ten written-out slopes
SMALL_ALL_OPERATIONS_CSE = 81  # the same after common subexpressions are shared

# --- 4. The 3-4-4-1 net: tanh, tanh, sigmoid, columns -----------------------------------------
# W^l_ij = sin(100 l + 10 i + j) / 2, b^l_i = cos(100 l + 10 i) / 2, 1-based, in radians.

DEEP_SIZES = (3, 4, 4, 1)  # inputs, hidden, hidden, output
DEEP_ACTIVATIONS = ("tanh", "tanh", "sigmoid")  # layer by layer
DEEP_PARAMETERS = (32, 9)  # weights, biases
DEEP_X = (0.5, -1, 2)  # the sample
DEEP_Y = 1  # its target
DEEP_OUTPUT = 0.42166291028110359  # the prediction
DEEP_SQUARED = {  # (a - y)^2; names are parameter, row, column (1-based), as in W1_4_3
    "loss": 0.33447378934452283,
    "W1_1_1": -0.0034470144440362565,
    "W1_4_3": 0.01306509852213243,
    "W2_2_3": 0.036418584861536578,
    "W3_1_4": -0.028679087315291252,
    "b1_1_1": -0.006894028888072513,
    "b2_3_1": 0.11010401095676387,
    "b3_1_1": -0.28207038285552055,
    "norm": 0.41399553249239895,
}
DEEP_CROSS_ENTROPY = {  # binary cross-entropy, names as above
    "loss": 0.86354907495256664,
    "W1_1_1": -0.0070675137233533618,
    "W1_4_3": 0.026787750559586412,
    "W2_2_3": 0.074670081159460172,
    "W3_1_4": -0.058801564793193047,
    "b1_1_1": -0.014135027446706724,
    "b2_3_1": 0.22574944812879718,
    "b3_1_1": -0.57833708971889641,
    "norm": 0.84882705158349393,
}

# --- 5. Numbers that tell a misprint from the right formula -----------------------------------

SIGMOID_MISPRINT_AT = (2, 1, 1)  # x, w, b
SIGMOID_RIGHT = 0.9525741268224332  # sigma(w x + b) there
SIGMOID_MISPRINT = 0.7310585786300049  # sigma(w x - b), what a lost pair of brackets gives
LINE_SLOPE_MISPRINT = 204  # dL2/dw at the line's start with the targets dropped, for 74.83
